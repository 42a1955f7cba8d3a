using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>The server's public key.</summary>
/// <param name="PublicKey">PEM, SubjectPublicKeyInfo.</param>
internal sealed record ServerKeyResponse(string PublicKey)
{
    /// <summary>As <c>publicKey</c>, for clients that look for it by this name.</summary>
    [JsonPropertyName("public_key")]
    public string PublicKeyTwin => PublicKey;
}
