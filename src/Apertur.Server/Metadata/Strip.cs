namespace Apertur.Server.Metadata;

/// <summary>What is taken out of a photo before it is stored. A later one takes more.</summary>
internal enum Strip
{
    /// <summary>Nothing: the bytes stay as they came.</summary>
    None,

    /// <summary>Where it was taken, and what may tell that but cannot be read, such as maker notes.</summary>
    Location,

    /// <summary>All but orientation and colour.</summary>
    All,
}
