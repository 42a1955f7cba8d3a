using System.Globalization;
using System.Text;
using Apertur.Server.Http;

namespace Apertur.Server.Uploads;

/// <summary>The headers of one part of a multipart/form-data body (RFC 7578).</summary>
/// <param name="Name">The form field.</param>
/// <param name="Filename">As sent, so a stranger's text: sanitise before showing it, never use it as a path. Null for a text field.</param>
/// <param name="ContentType">As sent, null when absent. Says nothing about what the bytes are.</param>
internal sealed record MultipartPart(string Name, string? Filename, string? ContentType)
{
    /// <summary>Those of <see cref="DigestCheck.Headers"/> that it has.</summary>
    public IReadOnlyDictionary<string, string> Digests { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads a header block: lines that end in CRLF, without the empty line that closes it.</summary>
    /// <exception cref="MultipartException">The block names no form field, or announces an encoding that is not the bytes themselves.</exception>
    public static MultipartPart Parse(ReadOnlySpan<byte> headers)
    {
        // Browsers put file names in raw UTF-8 here, whatever RFC 7578 says of other charsets.
        var text = Utf8OrLatin1.Read(headers).Replace("\r\n ", " ", StringComparison.Ordinal)
            .Replace("\r\n\t", " ", StringComparison.Ordinal);
        var disposition = "";
        string? type = null;
        var digests = new Dictionary<string, string>();
        foreach (var range in text.AsSpan().Split("\r\n"))
        {
            var line = text.AsSpan(range);
            if (line.IndexOf(':') is var colon && colon < 0)
                continue;
            var value = line[(colon + 1)..].Trim();
            var headerName = line[..colon].Trim().ToString();
            if (headerName.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase))
                disposition = value.ToString();
            else if (headerName.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                type = value.ToString();
            else if (DigestCheck.Headers.FirstOrDefault(name => name.Equals(headerName, StringComparison.OrdinalIgnoreCase)) is { } digest)
                digests[digest] = value.ToString();
            else if (headerName.Equals("Content-Transfer-Encoding", StringComparison.OrdinalIgnoreCase) && !IsIdentity(value))
                throw new MultipartException("A part uses Content-Transfer-Encoding; send its bytes as they are (RFC 7578, 4.7).");
        }

        string? name = null, filename = null, extended = null;
        foreach (var (key, value) in Parameters(disposition))
        {
            if (key.Equals("name", StringComparison.OrdinalIgnoreCase))
                name ??= value;
            else if (key.Equals("filename", StringComparison.OrdinalIgnoreCase))
                filename ??= EncodedWords.Decode(value);
            else if (key.Equals("filename*", StringComparison.OrdinalIgnoreCase))
                extended ??= Decode(value);
        }

        return name is null
            ? throw new MultipartException("A part has no Content-Disposition header with a name parameter.")
            : new MultipartPart(name, extended ?? filename, type) { Digests = digests };
    }

    /// <summary>The value of one parameter of a header such as <c>multipart/form-data; boundary="x"</c>, null when absent.</summary>
    public static string? Parameter(string header, string key)
    {
        foreach (var parameter in Parameters(header))
            if (parameter.Key.Equals(key, StringComparison.OrdinalIgnoreCase))
                return parameter.Value;
        return null;
    }

    private static List<(string Key, string Value)> Parameters(string header)
    {
        var found = new List<(string, string)>();
        var at = header.IndexOf(';');
        while (at >= 0 && at < header.Length)
        {
            var start = at + 1;
            var equals = header.AsSpan(start).IndexOfAny('=', ';');
            if (equals < 0)
                break;
            at = start + equals;
            if (header[at] == ';')
                continue;
            var key = header.AsSpan(start, equals).Trim().ToString();
            at++;
            while (at < header.Length && header[at] is ' ' or '\t')
                at++;
            if (at < header.Length && header[at] == '"')
                found.Add((key, Quoted(header, ref at)));
            else
            {
                var end = header.IndexOf(';', at) is var semicolon && semicolon < 0 ? header.Length : semicolon;
                found.Add((key, header.AsSpan(at, end - at).Trim().ToString()));
                at = end;
            }
        }

        return found;
    }

    private static string Quoted(string header, ref int at)
    {
        var value = new StringBuilder();
        for (at++; at < header.Length && header[at] != '"'; at++)
        {
            // Only \" and \\ are escapes: Windows programs send file names with bare backslashes.
            if (header[at] == '\\' && at + 1 < header.Length && header[at + 1] is '"' or '\\')
                at++;
            value.Append(header[at]);
        }

        at = header.IndexOf(';', at) is var semicolon && semicolon < 0 ? header.Length : semicolon;
        // How browsers write a quote inside a quoted name (WHATWG HTML, multipart/form-data encoding).
        return value.Replace("%22", "\"").ToString();
    }

    /// <summary>An extended value, <c>charset'language'percent-encoded</c> (RFC 8187, 3.2); null when it is not one, and then it does not count.</summary>
    private static string? Decode(string value)
    {
        var parts = value.Split('\'', 3);
        if (parts.Length < 3)
            return null;
        var encoding = parts[0].Equals("UTF-8", StringComparison.OrdinalIgnoreCase) ? Encoding.UTF8
            : parts[0].Equals("ISO-8859-1", StringComparison.OrdinalIgnoreCase) ? Encoding.Latin1
            : null;
        if (encoding is null)
            return null;

        var bytes = new List<byte>(parts[2].Length);
        for (var i = 0; i < parts[2].Length; i++)
        {
            var c = parts[2][i];
            if (c > 0x7f)
                return null;
            if (c != '%')
                bytes.Add((byte)c);
            else if (i + 2 < parts[2].Length
                     && byte.TryParse(parts[2].AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var b))
            {
                bytes.Add(b);
                i += 2;
            }
            else
                return null;
        }

        return encoding.GetString([.. bytes]);
    }

    private static bool IsIdentity(ReadOnlySpan<char> encoding) =>
        encoding.Equals("binary", StringComparison.OrdinalIgnoreCase)
        || encoding.Equals("8bit", StringComparison.OrdinalIgnoreCase)
        || encoding.Equals("7bit", StringComparison.OrdinalIgnoreCase);
}
