using System.Security.Cryptography;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Encryption;

/// <summary>
/// The RSA key pair that clients encrypt photos to in mode <c>default</c>. It is made at the first start and kept in the
/// database, so that all nodes have the same one; two that start at once agree on whichever row was first.
/// </summary>
/// <param name="generate">Makes a new key pair.</param>
internal sealed class ServerKeyPair(Database database, ColumnEncryption encryption, TimeProvider clock, ServerKeyPair.Generator generate)
{
    // As strong as AES-128 (NIST SP 800-57, part 1, table 2), recommended beyond 2030 where 2048 is not; unwrapping takes about 3
    // ms.
    public const int Bits = 3072;

    private string? _publicKey;
    private string? _privateKey;

    /// <summary>Makes a new key pair of <see cref="Bits"/>.</summary>
    public delegate RSA Generator();

    /// <summary>PEM, SubjectPublicKeyInfo.</summary>
    public string PublicKey => _publicKey ?? throw new InvalidOperationException("The server's key is not loaded yet.");

    /// <summary>The private key, to be disposed: an instance of its own, because none is meant for several threads.</summary>
    public RSA OpenPrivate()
    {
        var key = RSA.Create();
        key.ImportFromPem(_privateKey);
        return key;
    }

    /// <summary>Loads the key pair, and makes it first when there is none.</summary>
    /// <exception cref="InvalidOperationException">
    /// It cannot be decrypted, because the files in <c>keys/</c> are others.
    /// </exception>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var row = await FindAsync(cancellationToken);
        if (row is null)
        {
            await MakeAsync(cancellationToken);
            row = (await FindAsync(cancellationToken))!;
        }

        try
        {
            _privateKey = encryption.Unprotect(EncryptionKey.PrivateKeyColumn, row.Id, row.PrivateKey);
        }
        catch (CryptographicException exception)
        {
            throw new InvalidOperationException(
                "The server's encryption key cannot be read: the folder keys/ in the data folder is not the one this database was "
                + "made with. Restore it from a backup, or set Keys:Place if the keys are in the database.", exception);
        }

        _publicKey = row.PublicKey;
    }

    private async Task<EncryptionKey?> FindAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await db.EncryptionKeys.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
    }

    private async Task MakeAsync(CancellationToken cancellationToken)
    {
        using var pair = generate();
        var id = Guid.CreateVersion7(clock.GetUtcNow());
        var publicKey = pair.ExportSubjectPublicKeyInfoPem() + "\n";
        var privateKey = encryption.Protect(EncryptionKey.PrivateKeyColumn, id, pair.ExportPkcs8PrivateKeyPem());
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        // Another node may have been quicker: its row stays.
        await database.WriteAsync(
            db => db.Database.ExecuteSqlAsync(
                $"""
                INSERT INTO encryption_keys (id, the_one, public_key, private_key, created_at)
                VALUES ({id.ToString()}, 1, {publicKey}, {privateKey}, {now})
                ON CONFLICT (the_one) DO NOTHING
                """,
                cancellationToken),
            cancellationToken);
    }
}
