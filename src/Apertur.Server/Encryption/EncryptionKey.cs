namespace Apertur.Server.Encryption;

/// <summary>The row of the server's key pair. There is at most one.</summary>
internal sealed class EncryptionKey
{
    /// <summary>The place that <see cref="PrivateKey"/> is bound to when encrypted.</summary>
    public const string PrivateKeyColumn = "encryption_keys.private_key";

    public required Guid Id { get; init; }

    /// <summary>Always 1, and unique: there can be no second row.</summary>
    public int TheOne { get; init; } = 1;

    /// <summary>PEM of the SubjectPublicKeyInfo.</summary>
    public required string PublicKey { get; init; }

    /// <summary>PEM of the PKCS #8 private key, encrypted.</summary>
    public required string PrivateKey { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}
