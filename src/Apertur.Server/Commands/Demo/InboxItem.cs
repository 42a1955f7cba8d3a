namespace Apertur.Server.Commands.Demo;

/// <summary>
/// A photo that the demo's webhook received with a right signature. Stored as JSON beside the photo. The ids are those of the
/// server that sent it, the file name is a person's (hostile until encoded), the size is in bytes, and the SHA-256 (lower-case
/// hexadecimal) was computed here from the bytes that arrived.
/// </summary>
internal sealed record InboxItem(
    Guid Id, string SessionId, string FileName, string MimeType, long Size, string Sha256, DateTimeOffset ReceivedAt);
