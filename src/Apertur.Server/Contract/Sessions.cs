using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Apertur.Server.Http;

namespace Apertur.Server.Contract;

/// <summary>What the creator of a session may say at first and change later. Everything is optional.</summary>
internal abstract record SessionRequest
{
    [JsonPropertyName("expires_at")]
    public DateTimeOffset? ExpiresAt { get; init; }

    [JsonPropertyName("max_images")]
    public int? MaxImages { get; init; }

    [JsonPropertyName("allowed_mime_types")]
    public IReadOnlyList<string>? AllowedMimeTypes { get; init; }

    [JsonPropertyName("max_image_dimension")]
    public int? MaxImageDimension { get; init; }

    [JsonPropertyName("max_image_size_mb")]
    public int? MaxImageSizeMb { get; init; }

    /// <summary>
    /// What Done on the page ends: <c>visitor</c> (the part of whoever pressed it), <c>session</c>, or <c>never</c> anything. Unless it is said: the
    /// session when nobody else has the link open or has sent photos, else the visitor's part.
    /// </summary>
    public string? Done { get; init; }

    /// <summary>Whether whoever sent a photo may take it back until their Done; true unless it is said.</summary>
    [JsonPropertyName("allow_withdraw")]
    public bool? AllowWithdraw { get; init; }

    /// <summary>Whether each photo may have a caption, on the page and from programs; false unless it is said.</summary>
    [JsonPropertyName("allow_captions")]
    public bool? AllowCaptions { get; init; }

    /// <summary>
    /// What the page says to whoever sends photos, at most 2,000 characters: empty lines part paragraphs, lines that begin with a hyphen and a space are
    /// a list, <c>**words**</c> are bold. An empty text takes it away, as with the next two.
    /// </summary>
    public string? Instructions { get; init; }

    /// <summary>What the page says after Done, at most 500 characters.</summary>
    [JsonPropertyName("thank_you")]
    public string? ThankYou { get; init; }

    /// <summary>Where a link leads after Done: an https address.</summary>
    [JsonPropertyName("return_url")]
    public string? ReturnUrl { get; init; }

    /// <summary>Whether the page offers the camera only; false unless it is said. Programs may send other photos all the same.</summary>
    [JsonPropertyName("camera_only")]
    public bool? CameraOnly { get; init; }

    /// <summary>What the page asks of whoever sends photos, in this order; it goes along with each photo. An empty list asks for nothing.</summary>
    public IReadOnlyList<AskedField>? Ask { get; init; }

    /// <summary>
    /// What is removed from photos before they are stored: <c>none</c>, <c>location</c>, or <c>all</c> but orientation and colour. Where the project
    /// removes more, that counts.
    /// </summary>
    public string? Strip { get; init; }
}

/// <summary>Something that the page asks for.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record AskedField
{
    /// <summary><c>name</c>, <c>email</c>, <c>phone</c>, <c>reference</c> or <c>note</c>.</summary>
    public string Field { get; init; } = "";

    /// <summary>Whether the page sends no photo without it; false unless it is said.</summary>
    public bool Required { get; init; }
}

/// <summary>What a new upload session should be like.</summary>
[RetiredField("delivery_mode", "destination_ids, or long_polling")]
[RetiredField("webhook_url", "destination_ids: a webhook is a destination of the project")]
[RetiredField("webhook_format", "destination_ids: the format is part of a destination's config")]
internal sealed record CreateSessionRequest : SessionRequest
{
    [JsonPropertyName("destination_ids")]
    public IReadOnlyList<string>? DestinationIds { get; init; }

    [JsonPropertyName("long_polling")]
    public bool? LongPolling { get; init; }

    [Pairs]
    public IReadOnlyList<string>? Tags { get; init; }

    public string? Label { get; init; }
    public JsonObject? Metadata { get; init; }

    [JsonPropertyName("expires_in_hours")]
    public int? ExpiresInHours { get; init; }

    /// <summary>The same in seconds, as older clients send it.</summary>
    [JsonPropertyName("expires_in")]
    public int? ExpiresIn { get; init; }

    public string? Password { get; init; }

    /// <summary>Needed from people; a key has its project.</summary>
    [JsonPropertyName("project_id")]
    public string? ProjectId { get; init; }

    /// <summary><c>live</c> or <c>test</c>, for people; a key has its environment.</summary>
    public string? Env { get; init; }
}

/// <summary>What to change of a session. What is absent stays.</summary>
internal sealed record UpdateSessionRequest : SessionRequest
{
    /// <summary>Null removes it.</summary>
    public Optional<string> Password { get; init; }
}

/// <summary>A guess at a session's password.</summary>
internal sealed record VerifyPasswordRequest
{
    public string? Password { get; init; }
}

/// <summary>Whether the guess was right.</summary>
internal sealed record VerifyPasswordResponse(bool Valid);

/// <summary>A session as its creator first sees it, with everything needed to show it to somebody.</summary>
internal sealed record CreateSessionResponse
{
    public required Guid Id { get; init; }
    public required Guid Uuid { get; init; }

    [JsonPropertyName("upload_url")]
    public required string UploadUrl { get; init; }

    [JsonPropertyName("short_url")]
    public required string ShortUrl { get; init; }

    [JsonPropertyName("qr_url")]
    public required string QrUrl { get; init; }

    [JsonPropertyName("qr_specs")]
    public required QrSpecs QrSpecs { get; init; }

    /// <summary>Lets a page show what arrives, until a day after the session: see docs/widget.md.</summary>
    [JsonPropertyName("widget_token")]
    public required string WidgetToken { get; init; }

    public required IReadOnlyList<SessionDestination> Destinations { get; init; }

    [JsonPropertyName("long_polling")]
    public required bool LongPolling { get; init; }

    [JsonPropertyName("expires_at")]
    public required DateTimeOffset ExpiresAt { get; init; }

    [JsonPropertyName("password_protected")]
    public required bool PasswordProtected { get; init; }

    public required string Env { get; init; }

    /// <summary>What the creator should know, such as a field that does not exist; absent when there is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>What the QR address of a session can draw.</summary>
internal sealed record QrSpecs(string Endpoint, IReadOnlyList<string> Formats, IReadOnlyDictionary<string, string> Params);

/// <summary>A destination as a session names it.</summary>
internal sealed record SessionDestination(Guid Id, string Type, string Name);

/// <summary>
/// A session as the upload page, or whoever holds the link, sees it. Values withheld before the password are empty, zero or null.
/// </summary>
internal record SessionInfo
{
    public required Guid Id { get; init; }
    public required string Status { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public required IReadOnlyList<string>? Tags { get; init; }
    public required int ImagesPerSession { get; init; }
    public required int EffectiveMaxImages { get; init; }
    public required IReadOnlyList<string> EffectiveAllowedMimeTypes { get; init; }
    public required int? EffectiveMaxImageDimension { get; init; }
    public required int EffectiveMaxImageSizeMb { get; init; }

    [JsonPropertyName("password_protected")]
    public required bool PasswordProtected { get; init; }

    /// <summary>PEM of the key that photos are encrypted to in mode default.</summary>
    public required string ServerPublicKey { get; init; }

    /// <summary>Whether the project has a key of its own, so that photos can be encrypted for its owner alone.</summary>
    public required bool E2eEnabled { get; init; }

    /// <summary>PEM of that key.</summary>
    public required string? E2ePublicKey { get; init; }

    /// <summary>Whether this session cannot use that key, because it limits what the server must see to check.</summary>
    public required bool E2eDowngraded { get; init; }

    public required int ImagesCount { get; init; }
    public required string ProjectName { get; init; }
    public required string? Label { get; init; }

    /// <summary>What Done on the page ends: <c>visitor</c>, <c>session</c> or <c>never</c> anything; null: it depends on whether somebody else is there.</summary>
    public required string? Done { get; init; }

    /// <summary>Whether whoever sent a photo may take it back until their Done.</summary>
    public required bool AllowWithdraw { get; init; }

    /// <summary>Whether each photo may have a caption.</summary>
    public required bool AllowCaptions { get; init; }

    /// <summary>What the page says to whoever sends photos.</summary>
    public required string? Instructions { get; init; }

    /// <summary>What the page says after Done; null: words of its own.</summary>
    public required string? ThankYou { get; init; }

    /// <summary>Where a link leads after Done, as the session or else its project says.</summary>
    public required string? ReturnUrl { get; init; }

    /// <summary>Whether the page offers the camera only.</summary>
    public required bool CameraOnly { get; init; }

    /// <summary>What the page asks of whoever sends photos, in this order.</summary>
    public required IReadOnlyList<AskedField> Ask { get; init; }

    /// <summary>
    /// What is removed from photos before they are stored: <c>none</c>, <c>location</c>, or <c>all</c> but orientation and colour; null before the password.
    /// </summary>
    public required string? Strip { get; init; }

    /// <summary>What the caller should know about a change, such as a field that does not exist; absent when there is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>A session as the project that it belongs to sees it: what the link shows, and what is between the project and its destinations.</summary>
internal sealed record SessionDetails : SessionInfo
{
    public SessionDetails()
    {
    }

    [SetsRequiredMembers]
    private SessionDetails(SessionInfo info)
        : base(info)
    {
    }

    public JsonObject? Metadata { get; init; }
    public IReadOnlyList<SessionDestination> Destinations { get; init; } = [];
    public int DestinationsCount { get; init; }
    public bool LongPollingEnabled { get; init; }

    /// <summary>Images with at least one successful delivery.</summary>
    public int ImagesDelivered { get; init; }

    /// <summary>Images that failed for good somewhere.</summary>
    public int ImagesFailed { get; init; }

    public string Env { get; init; } = "";
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Lets a page show what arrives, as <c>widget_token</c> at creation.</summary>
    public string WidgetToken { get; init; } = "";

    public static SessionDetails Of(SessionInfo info) => new(info);
}

/// <summary>Opens one event stream, once, within a minute.</summary>
internal sealed record EventTicketResponse(string Ticket);

/// <summary>What a session has received, as a page of its owner shows it.</summary>
internal sealed record SessionPhotos(string Status, DateTimeOffset ExpiresAt, IReadOnlyList<SessionPhoto> Images);

/// <summary>A photo of a session, as a page of its owner shows it.</summary>
internal sealed record SessionPhoto(Guid Id, string Filename, long SizeBytes, string MimeType, bool HasThumbnail, DateTimeOffset CreatedAt);
