namespace Apertur.Server.Projects;

/// <summary>What everything else belongs to.</summary>
internal sealed class Project
{
    /// <summary>The place that <see cref="WebhookSecret"/> is bound to when encrypted.</summary>
    public const string WebhookSecretColumn = "projects.webhook_secret";

    public required Guid Id { get; init; }
    public required string Name { get; set; }

    /// <summary>Encrypted; signs what webhook destinations without a secret of their own receive.</summary>
    public required string WebhookSecret { get; set; }

    /// <summary>
    /// PEM of the owner's own RSA key, SubjectPublicKeyInfo; with it the upload page encrypts so that nobody here can read a photo.
    /// </summary>
    public string? E2ePublicKey { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }
}

/// <summary>A person's place in a project.</summary>
internal sealed class Member
{
    public required Guid ProjectId { get; init; }
    public required Guid UserId { get; init; }
    public required Role Role { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>What a member may do, weakest first.</summary>
internal enum Role
{
    Viewer,
    Developer,
    Admin,
    Owner,
}
