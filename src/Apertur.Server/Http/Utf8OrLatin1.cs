using System.Text;
using System.Text.Unicode;

namespace Apertur.Server.Http;

/// <summary>
/// Decodes text of unknown encoding: UTF-8, or Latin-1 where it is none. Headers come both ways, since a browser's
/// <c>fetch</c> sends one byte for each character; text in Latin-1 beyond ASCII is hardly ever valid UTF-8 by chance.
/// </summary>
internal sealed unsafe class Utf8OrLatin1 : Encoding
{
    public static readonly Utf8OrLatin1 Instance = new();

    /// <summary>The encoding that these bytes are in.</summary>
    public static Encoding Of(ReadOnlySpan<byte> bytes) => Utf8.IsValid(bytes) ? UTF8 : Latin1;

    public static string Read(ReadOnlySpan<byte> bytes) => Of(bytes).GetString(bytes);

    public override int GetCharCount(byte* bytes, int count)
    {
        var text = new ReadOnlySpan<byte>(bytes, count);
        // Kestrel looks for NUL itself only where it decodes itself.
        return text.Contains((byte)0) ? throw new DecoderFallbackException("NUL in a header.") : Of(text).GetCharCount(text);
    }

    public override int GetChars(byte* bytes, int byteCount, char* chars, int charCount)
    {
        var text = new ReadOnlySpan<byte>(bytes, byteCount);
        return Of(text).GetChars(text, new Span<char>(chars, charCount));
    }

    public override int GetCharCount(byte[] bytes, int index, int count) => Of(bytes.AsSpan(index, count)).GetCharCount(bytes, index, count);

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex) =>
        Of(bytes.AsSpan(byteIndex, byteCount)).GetChars(bytes, byteIndex, byteCount, chars, charIndex);

    public override int GetMaxCharCount(int byteCount) => byteCount;

    // Nothing is written in it.
    public override int GetByteCount(char[] chars, int index, int count) => UTF8.GetByteCount(chars, index, count);

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) =>
        UTF8.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

    public override int GetMaxByteCount(int charCount) => UTF8.GetMaxByteCount(charCount);
}
