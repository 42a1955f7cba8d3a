using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;

namespace Apertur.Server.Storage;

/// <summary>
/// Encryption of columns at rest, against readers of the database alone. The ciphertext is bound to its table, row and column: moved
/// elsewhere it does not decrypt. All nodes have the same keys (<see cref="IKeyStore"/>).
/// </summary>
internal sealed class ColumnEncryption
{
    private const string Application = "apertur";

    // What a protected text begins with, before base64url: 4 fixed bytes and the id of its key.
    private const int HeaderBytes = 4;
    private const int KeyIdBytes = 16;
    private static readonly TimeSpan _keyLifetime = TimeSpan.FromDays(90);

    private readonly KeyRing _ring;
    private readonly Lock _reading = new();
    private IDataProtectionProvider _provider;
    private HashSet<Guid> _known = [];

    /// <inheritdoc cref="KeyRing.GetAllElements"/>
    public ColumnEncryption(IKeyStore keys)
    {
        _ring = new KeyRing(keys);
        _provider = ReadKeys();
    }

    public string Protect(string column, Guid row, string text) => Protector(_provider, column, row).Protect(text);

    /// <exception cref="CryptographicException">Not from this server's keys, or not from this place.</exception>
    public string Unprotect(string column, Guid row, string protectedText)
    {
        try
        {
            return Protector(_provider, column, row).Unprotect(protectedText);
        }
        catch (CryptographicException)
        {
            // Another process may have made a key since this one read them; see KeyRotation.
            lock (_reading)
            {
                // What a stranger made up is not worth it.
                if (!IsOfOtherKey(protectedText))
                    throw;
                var fresh = ReadKeys();
                var text = Protector(fresh, column, row).Unprotect(protectedText);
                _provider = fresh;
                return text;
            }
        }
    }

    /// <summary>Makes a key, which from now on encrypts everything that this process encrypts.</summary>
    public Guid MakeKey()
    {
        lock (_reading)
        {
            using var services = DataProtection();
            // Not the server's clock: keys are compared with what the framework's own made.
            var now = TimeProvider.System.GetUtcNow();
            var key = services.GetRequiredService<IKeyManager>().CreateNewKey(now, now + _keyLifetime);
            _provider = ReadKeys();
            return key.KeyId;
        }
    }

    /// <summary>The id of the key that a text was encrypted with.</summary>
    public static Guid KeyOf(string protectedText) =>
        new(Base64Url.DecodeFromChars(protectedText).AsSpan(HeaderBytes, KeyIdBytes));

    /// <summary>A new secret: 64 lower-case hex characters of 256 random bits.</summary>
    public static string Generate() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Whether there is a key that encrypted a text and was not there when the keys were read.</summary>
    private bool IsOfOtherKey(string protectedText)
    {
        if (!Base64Url.IsValid(protectedText, out var length) || length < HeaderBytes + KeyIdBytes)
            return false;
        var key = KeyOf(protectedText);
        return !_known.Contains(key) && KeyIds().Contains(key);
    }

    private IEnumerable<Guid> KeyIds() => _ring.GetAllElements().Select(key => (Guid?)key.Attribute("id")).OfType<Guid>();

    private IDataProtectionProvider ReadKeys()
    {
        // Before the framework reads them, which may find more.
        _known = [.. KeyIds()];
        return DataProtection().GetRequiredService<IDataProtectionProvider>();
    }

    private ServiceProvider DataProtection() => new ServiceCollection().AddDataProtection().SetApplicationName(Application)
        .AddKeyManagementOptions(keys => keys.XmlRepository = _ring).Services.BuildServiceProvider();

    private static IDataProtector Protector(IDataProtectionProvider provider, string column, Guid row) =>
        provider.CreateProtector(Application, column, row.ToString());
}
