namespace Apertur.Server.Uploads;

/// <summary>The request's multipart body cannot be read. The message tells the sender's developer what to change; it holds none of the body.</summary>
internal sealed class MultipartException(string message) : Exception(message)
{
    /// <summary>The body ended too soon, as when a connection breaks or a browser replays a form without its files: sending it again helps.</summary>
    public bool IsIncomplete { get; init; }
}
