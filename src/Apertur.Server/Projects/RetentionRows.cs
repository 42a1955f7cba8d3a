namespace Apertur.Server.Projects;

/// <summary>What becomes of the row of a photo whose time is up.</summary>
internal enum RetentionRows
{
    /// <summary>It stays, with its hash, its size and how it was delivered.</summary>
    Keep,

    /// <summary>It goes too, and out of lists and statistics.</summary>
    Remove,
}
