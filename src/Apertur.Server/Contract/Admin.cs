namespace Apertur.Server.Contract;

/// <summary>The server as whoever runs it sees it.</summary>
internal sealed record AdminServerResponse(
    string Version, string Database, string Storage, IReadOnlyList<AdminQueue> Queues, IReadOnlyList<AdminNode> Nodes);

/// <summary>What waits to be sent.</summary>
internal sealed record AdminQueue(string Queue, int Depth, bool AtLeast);

/// <summary>One server process.</summary>
internal sealed record AdminNode(string Node, string Version, DateTimeOffset SeenAt, bool IsAlive);

/// <summary>One setting in force.</summary>
internal sealed record AdminSetting(string Name, string Value, bool IsDefault);

/// <summary>A stretch of the people, by their addresses.</summary>
internal sealed record AdminUserPage(IReadOnlyList<AdminUser> Users, string? Next);

/// <summary>Somebody with an account.</summary>
internal sealed record AdminUser(
    Guid Id, string Email, bool IsOperator, DateTimeOffset? DisabledAt, bool TotpEnabled, bool HasPassword, int ProjectCount, DateTimeOffset CreatedAt);

/// <summary>A stretch of the projects, newest first.</summary>
internal sealed record AdminProjectPage(IReadOnlyList<AdminProject> Projects, string? Next);

/// <summary>A project and what it takes.</summary>
internal sealed record AdminProject(
    Guid Id, string Name, DateTimeOffset? DisabledAt, int MemberCount, long StoredImages, long StoredBytes, DateTimeOffset CreatedAt);
