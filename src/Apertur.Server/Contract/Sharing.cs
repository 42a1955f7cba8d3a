using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>To whom a session's link is to be sent, and how.</summary>
internal sealed record ShareRequest
{
    /// <summary><c>email</c> or <c>sms</c>.</summary>
    public string? Channel { get; init; }

    /// <summary>An e-mail address, or a phone number with its country: <c>+41791234567</c>.</summary>
    public string? Recipient { get; init; }

    /// <summary>Must be true for sms: the recipient has agreed to get it.</summary>
    [JsonPropertyName("sms_consent")]
    public bool? SmsConsent { get; init; }

    /// <summary>Stands in the e-mail; at most 500 characters.</summary>
    public string? Note { get; init; }
}

/// <summary>The link was handed to the mail server or the gateway.</summary>
internal sealed record ShareResponse(
    bool Ok, string Channel, string Recipient, [property: JsonPropertyName("short_url")] string ShortUrl);
