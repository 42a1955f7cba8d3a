namespace Apertur.Destinations;

/// <summary>Why a stored image cannot be given out.</summary>
public enum ImageFault
{
    /// <summary>There is no file.</summary>
    Missing,

    /// <summary>The file is shorter than what was received.</summary>
    Truncated,

    /// <summary>The file is longer than what was received.</summary>
    Extended,

    /// <summary>The file has the length of what was received, and other bytes.</summary>
    Altered,

    /// <summary>The disk does not give the bytes now, which says nothing of them.</summary>
    Unreadable,
}

/// <summary>
/// The stored bytes of an image are not those that were received, or cannot be read. Not an <see cref="IOException"/>, so that nothing on the
/// way, no HTTP client and no SDK, takes it for a fault of the connection.
/// </summary>
public sealed class StoredImageException(ImageFault fault, Exception? innerException = null)
    : Exception(ReasonOf(fault), innerException)
{
    public ImageFault Fault => fault;

    private static string ReasonOf(ImageFault fault) => fault switch
    {
        ImageFault.Missing => "The stored image is missing on the server's disk.",
        ImageFault.Truncated => "The stored image is damaged: it is shorter than what was received.",
        ImageFault.Extended => "The stored image is damaged: it is longer than what was received.",
        ImageFault.Altered => "The stored image is damaged: its bytes are no longer those that were received.",
        _ => "The stored image cannot be read from the server's disk.",
    };
}
