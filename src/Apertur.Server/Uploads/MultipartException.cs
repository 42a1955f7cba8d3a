namespace Apertur.Server.Uploads;

/// <summary>The request's multipart body cannot be read. The message tells the sender's developer what to change; it holds none of the body.</summary>
internal sealed class MultipartException(string message) : Exception(message);
