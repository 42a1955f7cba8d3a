using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Server.Storage;

/// <summary>
/// This installation's own random secret, which all its nodes share. Every use gets a key of its own (HKDF, RFC 5869), so that no
/// signature made for one purpose means anything for another.
/// </summary>
internal sealed class DerivedKeys(IKeyStore store)
{
    /// <summary>The name that it is kept under.</summary>
    public const string SecretName = "server-secret";

    private const int Length = 32;

    // At its first use: a database may have to be made before.
    private readonly Lazy<byte[]> _secret = new(() => FindOrMake(store));
    private readonly ConcurrentDictionary<string, byte[]> _keys = [];

    /// <exception cref="InvalidOperationException">The secret is damaged.</exception>
    public byte[] Key(string purpose) =>
        _keys.GetOrAdd(purpose, p => HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret.Value, Length, info: Encoding.UTF8.GetBytes(p)));

    private static byte[] FindOrMake(IKeyStore store)
    {
        // Of several processes that make one, the first one's counts.
        if (Find(store) is null)
            store.Add(SecretName, RandomNumberGenerator.GetBytes(Length));
        return Find(store) is { Length: Length } secret
            ? secret
            : throw new InvalidOperationException($"{store.PathOf(SecretName)} is damaged: restore it from a backup.");
    }

    private static byte[]? Find(IKeyStore store) => store.Read().FirstOrDefault(key => key.Name == SecretName).Content;
}
