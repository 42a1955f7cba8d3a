using Apertur.Server.Metadata;
using Apertur.Server.Sessions;

namespace Apertur.Server.Encryption;

/// <summary>Whether photos of a session can be encrypted for the project's owner alone.</summary>
/// <param name="Enabled">The project has a key of its own.</param>
/// <param name="PublicKey">That key, PEM; null without one.</param>
/// <param name="Downgraded">
/// The session cannot make use of it: it limits types or pixels, or has metadata removed, which takes a server that can read the photos.
/// Photos encrypted end to end are refused there, and the upload page sends them as if there were no key.
/// </param>
internal sealed record SessionEncryption(bool Enabled, string? PublicKey, bool Downgraded)
{
    public static SessionEncryption Of(UploadSession session, string? projectKey) => new(
        projectKey is not null,
        projectKey,
        projectKey is not null && (session.AllowedMimeTypes.Length > 0 || session.MaxImageDimension is not null || session.Strip != Strip.None));

    /// <summary>The public key that the upload page encrypts to; null when it sends photos unencrypted.</summary>
    public string? PageKey => Downgraded ? null : PublicKey;
}
