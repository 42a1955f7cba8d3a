using Apertur.Server.Http;

namespace Apertur.Server.Encryption;

/// <summary>Who can decrypt what a request brings, as its header <c>X-Aptr-Encrypted</c> says.</summary>
internal enum EncryptionMode
{
    /// <summary>No header: the photo itself.</summary>
    None,

    /// <summary><c>default</c>: this server decrypts.</summary>
    Server,

    /// <summary><c>e2e</c>: only the project's owner can.</summary>
    EndToEnd,
}

/// <summary>Reads the mode from a request.</summary>
internal static class EncryptionModes
{
    public const string Header = "X-Aptr-Encrypted";

    /// <exception cref="ApiErrorException">The header has another value.</exception>
    public static EncryptionMode Of(HttpRequest request) => request.Headers[Header].ToString().ToLowerInvariant() switch
    {
        "" => EncryptionMode.None,
        "default" => EncryptionMode.Server,
        "e2e" => EncryptionMode.EndToEnd,
        _ => throw ApiErrors.Validation(Header, $"{Header} must be default or e2e.").ToException(),
    };
}
