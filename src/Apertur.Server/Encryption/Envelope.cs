using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Apertur.Server.Uploads;

namespace Apertur.Server.Encryption;

/// <summary>
/// An encrypted photo as clients send it: JSON with an AES-256 key wrapped by RSA-OAEP, a 12-byte IV, and the ciphertext followed
/// by its 16-byte tag, each in base64. Beside these, a JSON request may say the photo's name and the fields of the upload.
/// </summary>
/// <remarks>The ciphertext is only located, never copied: <see cref="Open"/> decodes and decrypts it where it lies.</remarks>
internal sealed class Envelope
{
    public const string KnownAlgorithm = "RSA-OAEP+AES-256-GCM";

    private const int KeyBytes = 32;
    private const int IvBytes = 12;
    private const int TagBytes = 16;

    // Longer than the base64 of a key wrapped by RSA-8192, and than any name worth keeping.
    private const int MaxText = 4096;

    private readonly IReadOnlyList<UploadField> _fields;
    private string? _key, _iv, _algorithm;
    private Range? _data;

    private Envelope(IReadOnlyList<UploadField> fields) => _fields = fields;

    public string? Filename { get; private set; }

    /// <summary>What stands beside it of the fields that an upload may have, by name.</summary>
    public Dictionary<string, string?> Fields { get; } = [];

    /// <summary>Whether it has the four members that an envelope is made of.</summary>
    public bool IsComplete => _key is not null && _iv is not null && _data is not null && _algorithm == KnownAlgorithm;

    /// <summary>
    /// Finds the members, in camelCase or snake_case. Null when this is no JSON, or a known member is no usable text.
    /// </summary>
    public static Envelope? Read(ReadOnlySpan<byte> json, IReadOnlyList<UploadField> fields)
    {
        var found = new Envelope(fields);
        try
        {
            var reader = new Utf8JsonReader(json);
            // What is no object has no members.
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                found.Take(ref reader);
            // Goes on to the end, where anything but white space is an error.
            return reader.Read() ? null : found;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The second is what text that is no UTF-8 gives.
            return null;
        }
    }

    /// <summary>Decrypts in place. Nothing of the photo is there unless all of it is genuine.</summary>
    /// <param name="json">The bytes that were read; they are overwritten.</param>
    /// <param name="server">The server's private key.</param>
    /// <returns>The photo, a part of <paramref name="json"/>; null when the envelope is wrong in any way.</returns>
    public Memory<byte>? Open(Memory<byte> json, RSA server)
    {
        if (_key is null || _iv is null || _data is not { } range || (_algorithm ?? KnownAlgorithm) != KnownAlgorithm)
            return null;
        var data = json[range];
        if (Unescape(data.Span) is not { } length
            || Base64.DecodeFromUtf8InPlace(data.Span[..length], out var written) != OperationStatus.Done
            || written < TagBytes
            || Decode(_key) is not { } wrapped
            || Decode(_iv) is not { Length: IvBytes } iv)
            return null;

        // Both paddings are always tried, and a key that cannot be unwrapped is replaced by one that fits nothing: then the work
        // and the answer are those of a wrong tag, and nobody learns from them what RSA made of a message (Manger's attack on
        // OAEP lives on that).
        var sha256 = Unwrap(server, wrapped, RSAEncryptionPadding.OaepSHA256);
        // What PHP's openssl_public_encrypt uses.
        var sha1 = Unwrap(server, wrapped, RSAEncryptionPadding.OaepSHA1);
        var key = sha256 ?? sha1 ?? RandomNumberGenerator.GetBytes(KeyBytes);
        try
        {
            var photo = data[..(written - TagBytes)];
            Span<byte> tag = stackalloc byte[TagBytes];
            data.Span[(written - TagBytes)..written].CopyTo(tag);
            using var aes = new AesGcm(key, TagBytes);
            aes.Decrypt(iv, photo.Span, tag, photo.Span);
            return photo;
        }
        catch (AuthenticationTagMismatchException)
        {
            data.Span.Clear();
            return null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private void Take(ref Utf8JsonReader reader)
    {
        var field = FieldNamed(reader);
        var member =
            reader.ValueTextEquals("encryptedData"u8) || reader.ValueTextEquals("encrypted_data"u8) ? Member.Data
            : reader.ValueTextEquals("encryptedKey"u8) || reader.ValueTextEquals("encrypted_key"u8) ? Member.Key
            : reader.ValueTextEquals("iv"u8) ? Member.Iv
            : reader.ValueTextEquals("algorithm"u8) ? Member.Algorithm
            : reader.ValueTextEquals("filename"u8) ? Member.Filename
            : field is not null ? Member.Field
            : Member.Other;
        reader.Read();
        if (member == Member.Other || (reader.TokenType == JsonTokenType.Null && member is Member.Filename or Member.Field))
        {
            reader.Skip();
            return;
        }

        if (reader.TokenType != JsonTokenType.String)
            throw new JsonException("No text.");
        if (member == Member.Data)
        {
            var start = (int)reader.TokenStartIndex + 1;
            _data = start..(start + reader.ValueSpan.Length);
            return;
        }

        if (reader.ValueSpan.Length > MaxText)
            throw new JsonException("Too long.");
        var text = reader.GetString();
        _ = member switch
        {
            Member.Key => _key = text,
            Member.Iv => _iv = text,
            Member.Algorithm => _algorithm = text,
            Member.Filename => Filename = text,
            _ => Fields[field!] = text,
        };
    }

    private string? FieldNamed(Utf8JsonReader reader)
    {
        foreach (var field in _fields)
        {
            if (reader.ValueTextEquals(field.Name))
                return field.Name;
        }

        return null;
    }

    /// <summary>
    /// Resolves JSON escapes where they stand; base64 has use for few. Gives the new length, null for an escape of anything else.
    /// </summary>
    private static int? Unescape(Span<byte> text)
    {
        var to = text.IndexOf((byte)'\\');
        if (to < 0)
            return text.Length;
        var from = to;
        while (from < text.Length)
        {
            // The reader has seen to it that a backslash is followed by a whole escape.
            if (text[from + 1] == '/')
            {
                text[to++] = (byte)'/';
                from += 2;
            }
            else if (text[from + 1] == 'u'
                && Utf8Parser.TryParse(text.Slice(from + 2, 4), out ushort c, out _, 'x') && c is '+' or '/' or '=')
            {
                text[to++] = (byte)c;
                from += 6;
            }
            else
            {
                return null;
            }

            var plain = text[from..].IndexOf((byte)'\\');
            var count = plain < 0 ? text.Length - from : plain;
            text.Slice(from, count).CopyTo(text[to..]);
            from += count;
            to += count;
        }

        return to;
    }

    private static byte[]? Unwrap(RSA server, byte[] wrapped, RSAEncryptionPadding padding)
    {
        try
        {
            return server.Decrypt(wrapped, padding) is { Length: KeyBytes } key ? key : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static byte[]? Decode(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var written) ? bytes[..written] : null;
    }

    private enum Member
    {
        Other,
        Key,
        Iv,
        Data,
        Algorithm,
        Filename,
        Field,
    }
}
