using Apertur.Server.Metadata;
using Apertur.Server.Storage;

namespace Apertur.Server.Projects;

/// <summary>A project: the tenant that all other rows belong to.</summary>
internal sealed class Project
{
    /// <summary>The place that <see cref="WebhookSecret"/> is bound to when encrypted.</summary>
    public const string WebhookSecretColumn = "projects.webhook_secret";

    private const int MaxNameLength = 200;

    public const int MaxRetentionDays = 3650;

    /// <summary>How long the secret before the present one goes on signing, where the signature has room for two.</summary>
    public static readonly TimeSpan SecretOverlap = TimeSpan.FromHours(24);

    public required Guid Id { get; init; }
    public required string Name { get; set; }

    /// <summary>Encrypted; signs what webhook destinations without a secret of their own receive.</summary>
    public required string WebhookSecret { get; set; }

    /// <summary>Encrypted, in the place of <see cref="WebhookSecret"/>; counts until <see cref="PreviousWebhookSecretUntil"/>.</summary>
    public string? PreviousWebhookSecret { get; set; }

    public DateTimeOffset? PreviousWebhookSecretUntil { get; set; }

    /// <summary>The customer's RSA key, PEM: what pages encrypt to so that this server cannot read it.</summary>
    public string? E2ePublicKey { get; set; }

    /// <summary>Days that photos are kept after everything of them is done; 0: not at all; null: for ever. See <see cref="Retention.PhotoRetention"/>.</summary>
    public int? RetentionDays { get; set; }

    public RetentionRows RetentionRows { get; set; }

    /// <summary>At most, for every session that is made or changed; null for the server's limit.</summary>
    public int? MaxImagesPerSession { get; set; }

    /// <summary>At most, for every session that is made or changed; null for the server's limit.</summary>
    public int? MaxImageSizeMb { get; set; }

    /// <summary>What is removed from photos before they are stored, at least, for every session that is made or changed.</summary>
    public Strip Strip { get; set; }

    /// <summary>What its pages call it in place of <see cref="Name"/>.</summary>
    public string? BrandName { get; set; }

    /// <summary>Names its logo, see <see cref="Logos"/>.</summary>
    public string? BrandLogo { get; set; }

    /// <summary>Six hex digits, see <see cref="Pages.Accent"/>.</summary>
    public string? BrandAccent { get; set; }

    /// <summary>Where a link leads after Done, in sessions that do not say it.</summary>
    public string? BrandReturnUrl { get; set; }

    /// <summary>When an operator disabled it; null when it is enabled.</summary>
    public DateTimeOffset? DisabledAt { get; set; }

    /// <summary>When it was deleted; its rows are removed after that, see <see cref="ProjectRemoval"/>.</summary>
    public DateTimeOffset? DeletedAt { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }

    /// <summary>What is wrong with a name; null when it can be used.</summary>
    public static string? NameProblem(string name) =>
        name.Trim().Length is 0 or > MaxNameLength || name.Contains('\0')
            ? $"The project's name must have 1 to {MaxNameLength} characters."
            : null;

    /// <summary>A project with a webhook secret, and nothing else yet.</summary>
    public static Project Create(string name, ColumnEncryption encryption, DateTimeOffset now)
    {
        var id = Guid.CreateVersion7(now);
        return new Project
        {
            Id = id,
            Name = name,
            WebhookSecret = encryption.Protect(WebhookSecretColumn, id, ColumnEncryption.Generate()),
            CreatedAt = now,
            UpdatedAt = now,
        };
    }
}
