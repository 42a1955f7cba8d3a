namespace Apertur.Server.Contract;

/// <summary>The server's public key.</summary>
/// <param name="PublicKey">PEM, SubjectPublicKeyInfo.</param>
internal sealed record ServerKeyResponse(string PublicKey);
