using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// A Google Cloud Storage bucket, through its JSON API with a service account. An object is only ever created, never overwritten:
/// <c>ifGenerationMatch=0</c> makes a repeat of a delivery find its own object.
/// </summary>
public sealed class GcsDestination : IDestinationType
{
    private const string Scope = "https://www.googleapis.com/auth/devstorage.read_write";

    private readonly Uri _root;
    private readonly JsonApi _api;
    private readonly GoogleUpload _upload;
    private readonly GoogleServiceAccount _account;

    public GcsDestination(OutboundHttp http, DestinationSettings settings, TimeProvider clock)
    {
        _root = settings.GcsApi;
        _api = new JsonApi(http, clock);
        _upload = new GoogleUpload(_api);
        _account = new GoogleServiceAccount(_api, clock, Scope);
    }

    public string Type => "gcs";

    public string Label => "Google Cloud Storage";

    public IReadOnlyList<ConfigField> Fields { get; } =
    [
        new("bucket", "Bucket") { Required = true, Check = BucketProblem },
        new("serviceAccountJson", "Service account key", ConfigFieldKind.Document)
        {
            Required = true,
            Secret = true,
            Check = GoogleServiceAccount.Problem,
            Help = "The JSON key file of an account with the role Storage Object User on the bucket.",
        },
        new("keyTemplate", "Object name") { Default = KeyTemplate.Default, Check = KeyTemplate.Problem },
    ];

    public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
        _api.AttemptAsync(delivery.SizeBytes, async deadline =>
        {
            var (token, failure) = await _account.TokenAsync(delivery.Config.Required("serviceAccountJson"), deadline);
            if (token is null)
                return failure!;

            string crc32c;
            await using (var file = delivery.OpenRead())
                crc32c = await Crc32C.OfAsync(file, deadline.Token);
            var key = KeyTemplate.Render(delivery.Config.Required("keyTemplate"), delivery);
            var other = KeyTemplate.Alternative(key, delivery);
            // An interrupted upload knows which of the two names it found free.
            return (UploadResume.Of(delivery)?.Name == other ? null : await CreateAsync(key, crc32c, token, delivery, deadline))
                ?? await CreateAsync(other, crc32c, token, delivery, deadline)
                ?? new DeliveryOutcome.GiveUp("Other objects stand under both names that this image could get.");
        }, cancellationToken);

    /// <summary>Opens an upload session and gives it up: whether an object may be made shows before there is one.</summary>
    public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
        _api.AttemptAsync(0, async deadline =>
        {
            var (token, failure) = await _account.TokenAsync(config.Required("serviceAccountJson"), deadline);
            if (token is null)
                return failure!;

            var resource = new JsonObject { ["name"] = $"apertur-test-{Guid.NewGuid()}" };
            var answer = await _upload.TryOutAsync(UploadAddress(config), token, resource, deadline);
            return answer.IsSuccess && answer.Headers.Location is not null
                ? answer.Means(new DeliveryOutcome.Accepted())
                : Refusal(answer, config);
        }, cancellationToken);

    /// <returns>Null when another image has that name.</returns>
    private async Task<DeliveryOutcome?> CreateAsync(
        string key, string crc32c, string token, Delivery delivery, TransferDeadline deadline)
    {
        var metadata = new JsonObject { ["apertur-image-id"] = delivery.ImageId.ToString(), ["sha256"] = delivery.Sha256 };
        if (delivery.OriginalSha256 is { } original)
            metadata["original_sha256"] = original;
        if (delivery.Caption is { } caption)
            metadata["apertur-caption"] = caption;
        foreach (var (name, given) in delivery.Answers ?? [])
            metadata["apertur-answer-" + name] = given?.DeepClone();
        var resource = new JsonObject
        {
            ["name"] = key,
            ["contentType"] = delivery.MimeType,
            // The service compares before the object exists.
            ["crc32c"] = crc32c,
            ["metadata"] = metadata,
        };
        var answer = await _upload.SendAsync(UploadAddress(delivery.Config), token, resource, key, delivery, deadline);
        // The same status also tells of an organisation's policies.
        if (answer.Status == HttpStatusCode.PreconditionFailed && GoogleRefusal.Reason(answer) is not "orgPolicyConstraintFailed")
            return await CompareAsync(key, crc32c, token, delivery, deadline);
        if (!answer.IsSuccess)
            return Refusal(answer, delivery.Config);

        return answer.Text("crc32c") == crc32c && answer.Text("name") == key && IsWhole(answer, delivery)
            ? answer.Means(new DeliveryOutcome.Accepted(key))
            : answer.Means(new DeliveryOutcome.TryAgain("The bucket did not confirm the checksum of what was sent."));
    }

    private async Task<DeliveryOutcome?> CompareAsync(
        string key, string crc32c, string token, Delivery delivery, TransferDeadline deadline)
    {
        var path = $"storage/v1/b/{Bucket(delivery.Config)}/o/{Uri.EscapeDataString(key)}";
        var address = new Uri(_root, path + "?fields=size,crc32c,metadata");
        using var request = JsonApi.Request(HttpMethod.Get, address, token);
        var answer = await _api.SendAsync(request, deadline);
        if (answer.Status == HttpStatusCode.NotFound)
            return answer.Means(new DeliveryOutcome.TryAgain("An object of that name was there, and is gone again."));
        if (!answer.IsSuccess)
            return Refusal(answer, delivery.Config);

        var same = answer.Text("crc32c") == crc32c
            && IsWhole(answer, delivery)
            && (answer.Text("metadata", "sha256") ?? delivery.Sha256) == delivery.Sha256;
        return same ? answer.Means(new DeliveryOutcome.Accepted(key)) : null;
    }

    private static bool IsWhole(ApiAnswer answer, Delivery delivery) =>
        answer.Text("size") == delivery.SizeBytes.ToString(CultureInfo.InvariantCulture);

    private DeliveryOutcome Refusal(ApiAnswer answer, DestinationConfig config)
    {
        if (answer.Status == HttpStatusCode.Unauthorized)
            _account.Forget(config.Required("serviceAccountJson"));

        return GoogleRefusal.Common(answer) ?? (answer.Status, GoogleRefusal.Reason(answer)) switch
        {
            (HttpStatusCode.Forbidden, "quotaExceeded") => answer.Means(new DeliveryOutcome.TryAgain(
                "A quota of the Google Cloud project is used up.", answer.RetryAfter)),
            (HttpStatusCode.Forbidden, "accountDisabled" or "userProjectAccountProblem") => answer.Means(
                new DeliveryOutcome.Broken("The Google Cloud project has a problem with its account, such as an unpaid bill.")),
            (HttpStatusCode.Forbidden, _) => answer.Means(new DeliveryOutcome.Broken(
                "The service account may not create and read objects in the bucket. Give it the role Storage Object User.")),
            (HttpStatusCode.PreconditionFailed, _) => answer.Means(new DeliveryOutcome.Broken(
                "A policy of the Google Cloud organisation does not allow it.")),
            (HttpStatusCode.NotFound, _) => answer.Means(new DeliveryOutcome.Broken("The bucket does not exist.")),
            _ => answer.Refused,
        };
    }

    private Uri UploadAddress(DestinationConfig config) =>
        new(_root, $"upload/storage/v1/b/{Bucket(config)}/o?ifGenerationMatch=0&fields=name,size,crc32c");

    private static string Bucket(DestinationConfig config) => Uri.EscapeDataString(config.Required("bucket"));

    /// <summary>Letters that could leave the path of the address are none of a bucket's name anyway.</summary>
    private static string? BucketProblem(string bucket) =>
        bucket.Length is >= 3 and <= 222
            && bucket.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.')
            && char.IsAsciiLetterOrDigit(bucket[0]) && char.IsAsciiLetterOrDigit(bucket[^1])
            ? null
            : "A bucket's name has 3 to 222 lower-case letters, digits, dashes, underscores and dots, without gs://.";
}
