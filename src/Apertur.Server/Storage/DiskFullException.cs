namespace Apertur.Server.Storage;

/// <summary>There is no room for another image. What was written of it is gone again when its writer is disposed.</summary>
internal sealed class DiskFullException(string message, Exception? inner = null) : IOException(message, inner);
