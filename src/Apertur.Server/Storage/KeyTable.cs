using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>A key in the database, wrapped.</summary>
internal sealed class WrappedKey
{
    public required string Name { get; init; }

    /// <summary>The nonce, the key encrypted with AES-256-GCM and bound to its name, and the tag; in base64.</summary>
    public required string Content { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>
/// Keys in the database, for nodes that share no folder. Each is wrapped by a key that is not in the database: who reads it alone, or a backup of
/// it, can read no secret. An installation that had its keys in a folder brings them along at its next start.
/// </summary>
internal sealed class KeyTable(Database database, Settings settings, TimeProvider clock) : IKeyStore
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const string Place = "the database's table wrapped_keys";

    private readonly byte[] _wrapping = HKDF.DeriveKey(
        HashAlgorithmName.SHA256, settings.Keys.ReadWrappingKey(), 32, info: "apertur wrapped keys"u8.ToArray());

    private readonly Lock _lock = new();
    private bool _isReady;

    public IReadOnlyList<(string Name, byte[] Content)> Read()
    {
        MakeReady();
        using var db = database.Open();
        return [.. db.WrappedKeys.AsEnumerable().Select(key => (key.Name, Unwrap(key)))];
    }

    public bool Add(string name, ReadOnlySpan<byte> content)
    {
        MakeReady();
        return Insert([Wrap(name, content)]) == 1;
    }

    public string PathOf(string name) => $"{name} in {Place}";

    /// <summary>What the framework asks for without waiting for it is written so, too: once in three months.</summary>
    private int Insert(IReadOnlyList<WrappedKey> keys) => database.WriteAsync(
        async db =>
        {
            var added = 0;
            foreach (var key in keys)
            {
                added += await db.Database.ExecuteSqlAsync(
                    $"""
                    INSERT INTO wrapped_keys (name, content, created_at) VALUES ({key.Name}, {key.Content}, {key.CreatedAt.ToUnixTimeMilliseconds()})
                    ON CONFLICT (name) DO NOTHING
                    """);
            }

            return added;
        },
        CancellationToken.None).GetAwaiter().GetResult();

    /// <summary>Takes over the keys of the data folder when the database has none yet.</summary>
    /// <exception cref="InvalidOperationException">The database was used with keys that are in another node's folder.</exception>
    private void MakeReady()
    {
        lock (_lock)
        {
            if (_isReady)
                return;
            Migrator.RunAsync(database, CancellationToken.None).GetAwaiter().GetResult();
            using var db = database.Open();
            if (!db.WrappedKeys.Any())
            {
                var folder = settings.KeysFolder;
                var keys = Directory.Exists(folder) ? new KeyFolder(folder).Read() : [];
                if (keys.Count == 0 && db.EncryptionKeys.Any())
                {
                    throw new InvalidOperationException(
                        "The keys of this database are still in the folder keys/ of the node that made it. Start that node first, with Keys:Place set to "
                        + "Database: it brings them into the database.");
                }

                Insert([.. keys.Select(key => Wrap(key.Name, key.Content))]);
            }

            _isReady = true;
        }
    }

    private WrappedKey Wrap(string name, ReadOnlySpan<byte> content)
    {
        var wrapped = new byte[NonceBytes + content.Length + TagBytes];
        RandomNumberGenerator.Fill(wrapped.AsSpan(0, NonceBytes));
        using var aes = new AesGcm(_wrapping, TagBytes);
        aes.Encrypt(
            wrapped.AsSpan(0, NonceBytes), content, wrapped.AsSpan(NonceBytes, content.Length), wrapped.AsSpan(NonceBytes + content.Length),
            Encoding.UTF8.GetBytes(name));
        return new WrappedKey { Name = name, Content = Convert.ToBase64String(wrapped), CreatedAt = clock.GetUtcNow() };
    }

    private byte[] Unwrap(WrappedKey key)
    {
        try
        {
            var wrapped = Convert.FromBase64String(key.Content).AsSpan();
            var content = new byte[wrapped.Length - NonceBytes - TagBytes];
            using var aes = new AesGcm(_wrapping, TagBytes);
            aes.Decrypt(wrapped[..NonceBytes], wrapped[NonceBytes..^TagBytes], wrapped[^TagBytes..], content, Encoding.UTF8.GetBytes(key.Name));
            return content;
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException or OverflowException)
        {
            throw new InvalidOperationException(
                $"The key {PathOf(key.Name)} cannot be opened: Keys:WrappingKey, or the file in Keys:WrappingKeyFile, is not what it was wrapped with.", exception);
        }
    }
}
