using System.Text.Json.Serialization;
using Apertur.Server.Http;

namespace Apertur.Server.Contract;

/// <summary>
/// A new API key, or what to change of one: fields that are absent stay as they are. Lists that are null stay too, so that a client which
/// sends every field lifts no restriction unasked.
/// </summary>
internal sealed record KeyRequest
{
    [Alias("name")]
    public string? Label { get; init; }

    /// <summary><c>live</c> or <c>test</c>; for a new key.</summary>
    public string? Env { get; init; }

    public bool? IsActive { get; init; }

    /// <summary>Null lifts the limit.</summary>
    public Optional<int?> MaxImages { get; init; }

    /// <summary>Null lifts the limit.</summary>
    public Optional<int?> MaxImageDimension { get; init; }

    public IReadOnlyList<string>? AllowedMimeTypes { get; init; }
    public IReadOnlyList<string>? AllowedIps { get; init; }
    public IReadOnlyList<string>? AllowedDomains { get; init; }
}

/// <summary>An API key; of the key itself only the beginning.</summary>
internal sealed record KeyResponse
{
    public required Guid Id { get; init; }
    public required string Prefix { get; init; }
    public required string Label { get; init; }
    public required string Env { get; init; }
    public required bool IsActive { get; init; }
    public required DateTimeOffset? LastUsedAt { get; init; }
    public required int? MaxImages { get; init; }
    public required IReadOnlyList<string> AllowedMimeTypes { get; init; }
    public required int? MaxImageDimension { get; init; }
    public required bool LongPollingEnabled { get; init; }
    public required IReadOnlyList<Guid> DefaultDestinations { get; init; }
    public required IReadOnlyList<string> AllowedIps { get; init; }
    public required IReadOnlyList<string> AllowedDomains { get; init; }
    public required bool TotpEnabled { get; init; }

    /// <summary>False until client certificates are built.</summary>
    public bool ClientCertEnabled { get; init; }

    /// <summary>Null until client certificates are built.</summary>
    public string? ClientCertFingerprint { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>What the caller should know about a change, such as a field that does not exist; absent when there is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>A new key. The only answer that holds the key itself.</summary>
/// <param name="Warnings">What the creator should know, such as a field that does not exist; absent when there is nothing.</param>
internal sealed record CreatedKeyResponse(
    KeyResponse Key, string PlainTextKey,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Warnings)
{
    /// <summary>The <c>id</c> of <c>key</c>, where some clients look for it.</summary>
    public Guid Id => Key.Id;

    /// <summary>As <c>plainTextKey</c>, for clients that look for it by this name.</summary>
    [JsonPropertyName("plain_text_key")]
    public string PlainTextKeyTwin => PlainTextKey;
}

/// <summary>What sessions of a key do with their photos when they do not say themselves. What is absent stays.</summary>
internal sealed record KeyDestinationsRequest
{
    [JsonPropertyName("destination_ids")]
    public IReadOnlyList<string>? DestinationIds { get; init; }

    [JsonPropertyName("long_polling_enabled")]
    [Alias("long_polling")]
    public bool? LongPollingEnabled { get; init; }
}

/// <summary>What sessions of a key do with their photos when they do not say themselves.</summary>
/// <param name="Warnings">What the caller should know about a change, such as a field that does not exist; absent when there is nothing.</param>
internal sealed record KeyDestinationsResponse(
    IReadOnlyList<KeyDestination> Destinations, bool LongPollingEnabled,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Warnings);

/// <summary>A destination as a key names it.</summary>
internal sealed record KeyDestination(Guid Id, string Type, string Name, bool IsActive);

/// <summary>Shown once.</summary>
internal sealed record SigningSecretResponse(string SigningSecret);

/// <summary>What an authenticator app takes, typed or from a QR code. Shown once.</summary>
internal sealed record KeyTotpResponse(string Secret, string OtpauthUrl);

/// <summary>What an authenticator app shows.</summary>
internal sealed record KeyCodeRequest
{
    public string? Code { get; init; }
}
