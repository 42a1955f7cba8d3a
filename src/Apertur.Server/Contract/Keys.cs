using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>
/// A new API key, or what to change of one: fields that are absent stay as they are. Lists that are null stay too, so that a client which
/// sends every field lifts no restriction unasked.
/// </summary>
internal sealed record KeyRequest
{
    public string? Label { get; init; }

    /// <summary><c>live</c> or <c>test</c>; for a new key.</summary>
    public string? Env { get; init; }

    public bool? IsActive { get; set; }

    /// <summary>Null lifts the limit.</summary>
    public int? MaxImages
    {
        get;
        set
        {
            field = value;
            HasMaxImages = true;
        }
    }

    /// <summary>Null lifts the limit.</summary>
    public int? MaxImageDimension
    {
        get;
        set
        {
            field = value;
            HasMaxImageDimension = true;
        }
    }

    public IReadOnlyList<string>? AllowedMimeTypes { get; set; }
    public IReadOnlyList<string>? AllowedIps { get; set; }
    public IReadOnlyList<string>? AllowedDomains { get; set; }

    [JsonIgnore]
    public bool HasMaxImages { get; private set; }

    [JsonIgnore]
    public bool HasMaxImageDimension { get; private set; }

    // What some clients say for the above.
    [JsonPropertyName("is_active")]
    public bool? IsActiveAlias { get => IsActive; set => IsActive = value; }

    [JsonPropertyName("max_images")]
    public int? MaxImagesAlias { get => MaxImages; set => MaxImages = value; }

    [JsonPropertyName("max_image_dimension")]
    public int? MaxImageDimensionAlias { get => MaxImageDimension; set => MaxImageDimension = value; }

    [JsonPropertyName("allowed_mime_types")]
    public IReadOnlyList<string>? AllowedMimeTypesAlias { get => AllowedMimeTypes; set => AllowedMimeTypes = value; }

    [JsonPropertyName("allowed_ips")]
    public IReadOnlyList<string>? AllowedIpsAlias { get => AllowedIps; set => AllowedIps = value; }

    [JsonPropertyName("allowed_domains")]
    public IReadOnlyList<string>? AllowedDomainsAlias { get => AllowedDomains; set => AllowedDomains = value; }
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
}

/// <summary>A new key. The only answer that holds the key itself.</summary>
internal sealed record CreatedKeyResponse(KeyResponse Key, string PlainTextKey);

/// <summary>What sessions of a key do with their photos when they do not say themselves. What is absent stays.</summary>
internal sealed record KeyDestinationsRequest
{
    [JsonPropertyName("destination_ids")]
    public IReadOnlyList<string>? DestinationIds { get; init; }

    [JsonPropertyName("long_polling_enabled")]
    public bool? LongPollingEnabled { get; set; }

    /// <summary>Some clients say this for <see cref="LongPollingEnabled"/>.</summary>
    [JsonPropertyName("long_polling")]
    public bool? LongPollingAlias { get => LongPollingEnabled; set => LongPollingEnabled = value; }
}

/// <summary>What sessions of a key do with their photos when they do not say themselves.</summary>
internal sealed record KeyDestinationsResponse(IReadOnlyList<KeyDestination> Destinations, bool LongPollingEnabled);

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
