using System.Text.Json.Serialization;
using Apertur.Server.Http;

namespace Apertur.Server.Contract;

/// <summary>A new project, or what to change of one: fields that are absent stay as they are, null takes a setting away.</summary>
internal sealed record ProjectRequest
{
    public string? Name { get; init; }

    public Optional<string> E2ePublicKey { get; init; }
    public Optional<int?> RetentionDays { get; init; }

    /// <summary><c>keep</c> or <c>remove</c>: what becomes of the row of a photo whose time is up.</summary>
    public string? RetentionRows { get; init; }

    public Optional<int?> MaxImagesPerSession { get; init; }
    public Optional<int?> MaxImageSizeMb { get; init; }

    /// <summary>What is removed, at least, from photos of sessions made from now on: <c>none</c>, <c>location</c>, or <c>all</c> but orientation and colour.</summary>
    public string? Strip { get; init; }

    /// <summary>How the pages of its sessions look; null takes all of it away.</summary>
    public Optional<BrandingRequest> Branding { get; init; }
}

/// <summary>What to change of how a project's pages look: fields that are absent stay as they are, null takes one away.</summary>
internal sealed record BrandingRequest
{
    /// <summary>What pages call the project, at most 200 characters; null: its name.</summary>
    public Optional<string> Name { get; init; }

    /// <summary>Base64, or a data URL, of a PNG or an SVG of at most 200 kB. It is drawn anew as a PNG of at most 480 by 160 pixels.</summary>
    public Optional<string> Logo { get; init; }

    /// <summary>A colour as hex, such as <c>#0b6b5a</c>. Pages make it darker or lighter where it could not be read.</summary>
    public Optional<string> Accent { get; init; }

    /// <summary>Where a link leads after Done, in sessions that do not say it: an https address.</summary>
    public Optional<string> ReturnUrl { get; init; }
}

/// <summary>How a project's pages look.</summary>
internal sealed record BrandingResponse
{
    /// <summary>What pages call the project; null: its name.</summary>
    public required string? Name { get; init; }

    /// <summary>Path of the logo on this server, a PNG; null when there is none.</summary>
    public required string? Logo { get; init; }

    /// <summary>A colour as hex, such as <c>#0b6b5a</c>; null: the pages' own.</summary>
    public required string? Accent { get; init; }

    /// <summary>Where a link leads after Done, in sessions that do not say it.</summary>
    public required string? ReturnUrl { get; init; }
}

/// <summary>A project, as the caller's role in it may see it.</summary>
internal sealed record ProjectResponse
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }

    /// <summary>The caller's.</summary>
    public required string Role { get; init; }

    /// <summary>For owners and admins only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? WebhookSecret { get; init; }

    /// <summary>Until when the secret before this one signs too; absent when there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? PreviousWebhookSecretUntil { get; init; }

    public required string? E2ePublicKey { get; init; }
    public required int? RetentionDays { get; init; }

    /// <summary><c>keep</c> or <c>remove</c>: what becomes of the row of a photo whose time is up.</summary>
    public required string RetentionRows { get; init; }

    public required int? MaxImagesPerSession { get; init; }
    public required int? MaxImageSizeMb { get; init; }

    /// <summary>What is removed, at least, from photos of sessions made from now on: <c>none</c>, <c>location</c>, or <c>all</c> but orientation and colour.</summary>
    public required string Strip { get; init; }

    /// <summary>How the pages of its sessions look.</summary>
    public required BrandingResponse Branding { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>What is stored of its photos now; only when one project is asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public StoredPhotos? Stored { get; init; }
}

/// <summary>Photos whose bytes are stored.</summary>
/// <param name="Images">How many.</param>
/// <param name="Bytes">Their size together, without thumbnails and renditions.</param>
internal sealed record StoredPhotos(long Images, long Bytes);

/// <summary>Whom to invite, or what a member's role becomes.</summary>
internal sealed record MemberRequest
{
    public string? Email { get; init; }
    public string? Role { get; init; }
}

internal sealed record MemberResponse(Guid UserId, string Email, string Role, DateTimeOffset CreatedAt);

/// <summary>An invitation that nobody has followed yet.</summary>
/// <param name="Url">The link to pass on: shown once, works once. Null when the invitation is only listed.</param>
internal sealed record InvitationResponse(
    Guid Id, string Email, string Role, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Url);

/// <summary>A stretch of the audit log, newest first.</summary>
/// <param name="Next">The cursor of the stretch before; null at the end.</param>
internal sealed record AuditPage(IReadOnlyList<AuditRow> Entries, string? Next);

internal sealed record AuditRow(string Id, AuditActor Actor, string Action, string? ThingId, string? Address, DateTimeOffset CreatedAt);

/// <param name="Type"><c>person</c>, <c>key</c> or <c>operator</c>.</param>
/// <param name="Name">E-mail address or key prefix, as it was then.</param>
internal sealed record AuditActor(string Type, Guid? Id, string Name);
