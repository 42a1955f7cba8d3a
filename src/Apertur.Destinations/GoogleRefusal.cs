using System.Net;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// What Google's APIs mean by a refusal. The reason stands in the body; a 403 is as often a full minute as a missing right
/// (https://developers.google.com/workspace/drive/api/guides/handle-errors).
/// </summary>
internal static class GoogleRefusal
{
    /// <summary>The outcome where it is the same for every Google API; null where it depends on what was asked for.</summary>
    public static DeliveryOutcome? Common(ApiAnswer answer) => (answer.Status, Reason(answer)) switch
    {
        (HttpStatusCode.Unauthorized, _) => answer.Means(new DeliveryOutcome.TryAgain("Google did not accept the access token.")),
        (HttpStatusCode.Forbidden, "rateLimitExceeded" or "userRateLimitExceeded" or "sharingRateLimitExceeded") =>
            answer.Means(new DeliveryOutcome.TryAgain("Google asks to send more slowly.", answer.RetryAfter)),
        (HttpStatusCode.Forbidden, "dailyLimitExceeded") =>
            answer.Means(new DeliveryOutcome.TryAgain("Google's daily limit for this server is used up.", answer.RetryAfter)),
        (HttpStatusCode.Forbidden, "accessNotConfigured") =>
            answer.Means(new DeliveryOutcome.Broken("This Google API is not enabled in the Google Cloud project.")),
        (HttpStatusCode.RequestEntityTooLarge, _) =>
            answer.Means(new DeliveryOutcome.GiveUp("Google refuses images of this size.")),
        _ => null,
    };

    /// <summary>The first machine-readable reason, such as <c>storageQuotaExceeded</c>.</summary>
    public static string? Reason(ApiAnswer answer) =>
        (((answer.Json as JsonObject)?["error"] as JsonObject)?["errors"] as JsonArray)?.FirstOrDefault() is JsonObject error
        && error["reason"] is JsonValue value && value.TryGetValue<string>(out var reason)
            ? reason
            : null;
}
