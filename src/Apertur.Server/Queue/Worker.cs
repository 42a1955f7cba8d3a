namespace Apertur.Server.Queue;

/// <summary>A process that works on the queues of a database which several share. One that stops in order takes its row away.</summary>
internal sealed class Worker
{
    /// <summary>Without a sign of life for so long, it is dead.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromMinutes(2);

    /// <summary>For how long a dead one is told of.</summary>
    public static readonly TimeSpan Mourned = TimeSpan.FromHours(1);

    /// <summary>See <see cref="Queue.Node"/>.</summary>
    public required string Node { get; init; }

    /// <summary>Of its program.</summary>
    public string Version { get; init; } = "";

    public required DateTimeOffset SeenAt { get; init; }
}
