namespace Apertur.Server.Audit;

/// <summary>Who did what to which thing of a project, and when. Never changed, and never holds a secret: only names and ids.</summary>
internal sealed class AuditEntry
{
    /// <summary>A version 7 UUID as text, so that the database can sort and compare by it: it is the cursor.</summary>
    public required string Id { get; init; }

    public required Guid ProjectId { get; init; }

    /// <summary><c>person</c>, <c>key</c> or <c>operator</c>.</summary>
    public required string ActorType { get; init; }

    public Guid? ActorId { get; init; }

    /// <summary>E-mail address or key prefix, as it was then.</summary>
    public required string ActorName { get; init; }

    /// <summary>The slice and the act, such as <c>destinations.create</c>.</summary>
    public required string Action { get; init; }

    public string? ThingId { get; init; }

    /// <summary>Where the call came from.</summary>
    public string? Address { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}
