namespace Apertur.Server.Projects;

/// <summary>The membership of a person in a project.</summary>
internal sealed class Member
{
    public required Guid ProjectId { get; init; }
    public required Guid UserId { get; init; }
    public required Role Role { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>What a member may do, weakest first: <c>docs/roles.md</c>.</summary>
internal enum Role
{
    Viewer,
    Developer,
    Admin,
    Owner,
}
