using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Destinations;

/// <summary>
/// Signs a webhook body that passes by in pieces. Every scheme is an HMAC-SHA256 over an optional prefix and the raw body;
/// they differ in the key's bytes, the prefix and how the result is written.
/// </summary>
public sealed class Signature : IDisposable
{
    private readonly IncrementalHash _hmac;
    private readonly Func<byte[], string> _write;

    private Signature(byte[] key, string prefix, Func<byte[], string> write)
    {
        _hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        _hmac.AppendData(Encoding.UTF8.GetBytes(prefix));
        _write = write;
    }

    /// <summary>
    /// What webhook destinations receive as <c>X-Apertur-Signature</c>: <c>sha256=</c> and hex, over the body alone.
    /// </summary>
    /// <param name="secret">Its UTF-8 bytes are the key.</param>
    public static Signature OfBody(string secret) => new(Encoding.UTF8.GetBytes(secret), "", Hex);

    /// <summary>
    /// What event webhooks of method <c>hmac_sha256</c> receive as <c>X-Apertur-Signature</c>: <c>sha256=</c> and hex, over
    /// <c>timestamp.body</c>.
    /// </summary>
    /// <param name="secret">Its UTF-8 bytes are the key.</param>
    /// <param name="timestamp">Unix seconds, as sent in <c>X-Apertur-Timestamp</c>.</param>
    public static Signature OfTimestampedBody(string secret, long timestamp) =>
        new(Encoding.UTF8.GetBytes(secret), string.Create(CultureInfo.InvariantCulture, $"{timestamp}."), Hex);

    /// <summary>What event webhooks of method <c>svix</c> receive as <c>svix-signature</c>.</summary>
    /// <param name="hexSecret">Hex characters, which decode to the key.</param>
    /// <param name="id">As sent in <c>svix-id</c>.</param>
    /// <param name="timestamp">Unix seconds, as sent in <c>svix-timestamp</c>.</param>
    /// <exception cref="FormatException">The secret is not hex.</exception>
    public static Signature Svix(string hexSecret, string id, long timestamp) =>
        Standard(Convert.FromHexString(hexSecret), id, timestamp);

    /// <summary>
    /// What webhook destinations receive as <c>webhook-signature</c> (Standard Webhooks 1.0): <c>v1,</c> and base64, over
    /// <c>id.timestamp.body</c>. Its users hold the key as <c>whsec_</c> and the base64 of the secret's UTF-8 bytes.
    /// </summary>
    /// <param name="secret">Its UTF-8 bytes are the key.</param>
    /// <param name="id">As sent in <c>webhook-id</c>.</param>
    /// <param name="timestamp">Unix seconds, as sent in <c>webhook-timestamp</c>.</param>
    public static Signature StandardWebhooks(string secret, string id, long timestamp) =>
        Standard(Encoding.UTF8.GetBytes(secret), id, timestamp);

    /// <summary>Takes in the next piece of the body.</summary>
    public Signature Append(ReadOnlySpan<byte> body)
    {
        _hmac.AppendData(body);
        return this;
    }

    /// <summary>The header's value for all that was taken in. Ends this signature.</summary>
    public string Finish() => _write(_hmac.GetHashAndReset());

    public void Dispose() => _hmac.Dispose();

    private static Signature Standard(byte[] key, string id, long timestamp) =>
        new(key, string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}."), hash => "v1," + Convert.ToBase64String(hash));

    private static string Hex(byte[] hash) => "sha256=" + Convert.ToHexStringLower(hash);
}
