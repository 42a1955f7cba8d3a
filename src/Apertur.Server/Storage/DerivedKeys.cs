using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Server.Storage;

/// <summary>
/// This installation's own random secret, kept in the data folder's <c>keys/</c>. Nodes that share work share that folder. Every use gets a
/// key of its own (HKDF, RFC 5869), so that no signature made for one purpose means anything for another.
/// </summary>
internal sealed class DerivedKeys
{
    private const int Length = 32;

    private readonly byte[] _secret;
    private readonly ConcurrentDictionary<string, byte[]> _keys = [];

    /// <param name="keysFolder">Exists, and is readable by this program only.</param>
    public DerivedKeys(string keysFolder)
    {
        var path = Path.Combine(keysFolder, "server-secret");
        if (!File.Exists(path))
            Create(path);
        _secret = File.ReadAllBytes(path);
        if (_secret.Length != Length)
            throw new InvalidOperationException($"{path} is damaged: restore it from a backup.");
    }

    public byte[] Key(string purpose) =>
        _keys.GetOrAdd(purpose, p => HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret, Length, info: Encoding.UTF8.GetBytes(p)));

    private static void Create(string path)
    {
        var draft = $"{path}.{Guid.NewGuid()}";
        using (var file = new FileStream(draft, FileMode.CreateNew))
        {
            file.Write(RandomNumberGenerator.GetBytes(Length));
            file.Flush(flushToDisk: true);
        }

        try
        {
            DurableFile.Rename(draft, path);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process was first; its secret counts.
            File.Delete(draft);
        }
    }
}
