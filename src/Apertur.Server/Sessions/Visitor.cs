namespace Apertur.Server.Sessions;

/// <summary>What a press on Done ends.</summary>
internal enum DoneScope
{
    /// <summary>The part of the visitor who pressed it; the session goes on for others.</summary>
    Visitor,

    /// <summary>The session: it takes no more photos.</summary>
    Session,

    /// <summary>Nothing: the session goes on until it expires or its owner closes it.</summary>
    Never,
}

/// <summary>One browser on the page of a session, by an id that it makes up for that session and that nobody else with the link learns.</summary>
internal sealed class Visitor
{
    public required Guid SessionId { get; init; }
    public required Guid Id { get; init; }

    /// <summary>How many pages it has open. A node that goes down leaves some behind, which only keeps a session open that would have been closed.</summary>
    public int Pages { get; set; }

    /// <summary>When its part was done; null while it is not, and again with its next photo.</summary>
    public DateTimeOffset? DoneAt { get; set; }
}
