using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Apertur.Server.Http;

namespace Apertur.Server.Uploads;

/// <summary>
/// Reads a multipart/form-data body (RFC 2046, 5.1; RFC 7578) part by part, straight from the pipe the socket fills: bytes are searched
/// and handed out where they lie, never copied. One reader per request; not safe for concurrent use. Dispose it before answering, also
/// when the body was not read to its end: Kestrel can then skip the rest and keep the connection.
/// </summary>
/// <remarks>
/// Every method throws <see cref="MultipartException"/> for a body that breaks the format or a limit. The pipe's own failures (a dropped
/// connection, a body over Kestrel's size limit or under its minimum rate) pass through unchanged.
/// </remarks>
internal sealed class MultipartReader : IDisposable
{
    public const int MaxBoundaryLength = 70;
    public const int MaxHeaderBytes = 16 * 1024;
    public const int MaxParts = 32;
    public const int MaxTextBytes = 64 * 1024;

    private readonly PipeReader _body;

    /// <summary>CRLF "--" boundary: the CRLF belongs to the delimiter, not to the bytes before it.</summary>
    private readonly byte[] _delimiter;
    private At _at = At.Start;
    private int _parts;
    private bool _empty = true;

    /// <summary>What the next call tells the pipe about the buffer it gave last; meaningful while <see cref="_holding"/>.</summary>
    private SequencePosition _consumed, _examined;
    private bool _holding;

    private enum At { Start, Body, Delimiter, End }

    /// <param name="body">The request's body, from its first byte.</param>
    /// <param name="contentType">The request's Content-Type header.</param>
    /// <exception cref="MultipartException">The header is not multipart/form-data with a usable boundary.</exception>
    public MultipartReader(PipeReader body, string? contentType)
    {
        _body = body;
        _delimiter = Encoding.ASCII.GetBytes("\r\n--" + BoundaryOf(contentType));
    }

    /// <summary>Whether a Content-Type announces what this class reads.</summary>
    public static bool Reads(string? contentType) =>
        contentType.AsSpan().StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase);

    /// <summary>The next part, in the order sent; what is left of the current one is skipped. Null after the last.</summary>
    public async ValueTask<MultipartPart?> NextAsync(CancellationToken ct)
    {
        if (_at == At.Start)
            await OpenBodyAsync(ct);
        while (_at == At.Body)
            await ReadAsync(1, ct);
        if (_at == At.End || !await OpensPartAsync(ct))
            return null;
        if (++_parts > MaxParts)
            throw new MultipartException($"The form has more than {MaxParts} parts.");
        var part = await ReadHeadersAsync(ct);
        await OpenBodyAsync(ct);
        return part;
    }

    /// <summary>
    /// The next bytes of the current part, valid until the next call on this reader; empty at its end. Waits for at least
    /// <paramref name="minimum"/> bytes unless the part ends sooner.
    /// </summary>
    public async ValueTask<ReadOnlySequence<byte>> ReadAsync(int minimum, CancellationToken ct)
    {
        // The delimiter may have begun in the last bytes seen; everything before them is known to be content.
        var overlap = _delimiter.Length - 1;
        long clean = 0;
        while (_at == At.Body)
        {
            var (buffer, last) = await FillAsync(ct);
            var found = DelimiterSearch.IndexOf(buffer.Slice(clean), _delimiter);
            if (found >= 0)
            {
                var content = buffer.Slice(0, clean + found);
                Hold(buffer.GetPosition(_delimiter.Length, content.End));
                _at = At.Delimiter;
                return content;
            }

            clean = Math.Max(0, buffer.Length - overlap);
            if (last)
                throw Truncated();
            if (clean >= minimum)
            {
                var content = buffer.Slice(0, clean);
                Hold(content.End, buffer.End);
                return content;
            }

            Hold(buffer.Start, buffer.End);
        }

        return ReadOnlySequence<byte>.Empty;
    }

    /// <summary>The rest of the current part as text, at most <paramref name="limit"/> bytes long.</summary>
    public async ValueTask<string> ReadTextAsync(CancellationToken ct, int limit = MaxTextBytes)
    {
        var text = new ArrayBufferWriter<byte>();
        while (await ReadAsync(1, ct) is { IsEmpty: false } chunk)
        {
            if (text.WrittenCount + chunk.Length > limit)
                throw new MultipartException($"A text field is longer than {limit} bytes.");
            foreach (var segment in chunk)
                text.Write(segment.Span);
        }

        return Utf8OrLatin1.Read(text.WrittenSpan);
    }

    /// <summary>Whether the current part holds no bytes. Nothing is read.</summary>
    public async ValueTask<bool> IsEmptyAsync(CancellationToken ct)
    {
        while (_at == At.Body)
        {
            var (buffer, last) = await FillAsync(ct);
            if (buffer.Length >= _delimiter.Length || last)
            {
                Hold(buffer.Start);
                return StartsWith(buffer, _delimiter);
            }

            Hold(buffer.Start, buffer.End);
        }

        return true;
    }

    public void Dispose() => Release();

    private static string BoundaryOf(string? contentType)
    {
        if (!Reads(contentType))
            throw new MultipartException("The Content-Type is not multipart/form-data.");
        var boundary = MultipartPart.Parameter(contentType!, "boundary");
        if (string.IsNullOrEmpty(boundary))
            throw new MultipartException("The Content-Type has no boundary; let your HTTP client set this header.");
        if (boundary.Length > MaxBoundaryLength || !Ascii.IsValid(boundary))
            throw new MultipartException($"The boundary is not 1 to {MaxBoundaryLength} ASCII characters (RFC 2046, 5.1.1).");
        return boundary;
    }

    /// <summary>
    /// At the start of the body, and of a part, a delimiter may stand without its CRLF: nothing comes before it, or the empty line that
    /// ends the headers serves as its CRLF.
    /// </summary>
    private async ValueTask OpenBodyAsync(CancellationToken ct)
    {
        var length = _delimiter.Length - 2;
        while (true)
        {
            var (buffer, last) = await FillAsync(ct);
            if (buffer.Length >= length || last)
            {
                var delimiter = StartsWith(buffer, _delimiter.AsSpan(2));
                Hold(delimiter ? buffer.GetPosition(length) : buffer.Start);
                _at = delimiter ? At.Delimiter : At.Body;
                return;
            }

            Hold(buffer.Start, buffer.End);
        }
    }

    /// <summary>What follows a delimiter: "--" closes the form, padding and CRLF open a part.</summary>
    private async ValueTask<bool> OpensPartAsync(CancellationToken ct)
    {
        while (true)
        {
            var (buffer, last) = await FillAsync(ct);
            if (StartsWith(buffer, "--"u8))
            {
                // The epilogue means nothing (RFC 2046, 5.1.1); Kestrel skips it with the rest of the request.
                Hold(buffer.End);
                _at = At.End;
                return false;
            }

            if (LineEnd(buffer) is { } end)
            {
                Hold(end);
                return true;
            }

            if (last)
                throw Truncated();
            Hold(buffer.Start, buffer.End);
        }
    }

    private static SequencePosition? LineEnd(ReadOnlySequence<byte> buffer)
    {
        var reader = new SequenceReader<byte>(buffer);
        var padding = reader.AdvancePastAny((byte)' ', (byte)'\t');
        if (reader.IsNext("\r\n"u8, advancePast: true))
            return reader.Position;
        // One byte short of "\r\n" or "--" is no answer yet.
        var undecided = reader.Remaining == 0
            || (reader.Remaining == 1 && (reader.IsNext((byte)'\r') || (padding == 0 && reader.IsNext((byte)'-'))));
        return undecided && padding <= MaxHeaderBytes
            ? null
            : throw new MultipartException("A boundary is followed by other text; boundary lines must end in CRLF.");
    }

    private async ValueTask<MultipartPart> ReadHeadersAsync(CancellationToken ct)
    {
        while (true)
        {
            var (buffer, last) = await FillAsync(ct);
            if (TakeHeaders(buffer, out var headers, out var end))
            {
                var part = MultipartPart.Parse(headers.IsSingleSegment ? headers.FirstSpan : headers.ToArray());
                Hold(end);
                return part;
            }

            if (last)
                throw Truncated();
            Hold(buffer.Start, buffer.End);
        }
    }

    private static bool TakeHeaders(ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> headers, out SequencePosition end)
    {
        var reader = new SequenceReader<byte>(buffer);
        // An empty line at once: no headers, which the part's own rule then refuses.
        if (reader.IsNext("\r\n"u8, advancePast: true))
            headers = ReadOnlySequence<byte>.Empty;
        else if (!reader.TryReadTo(out headers, "\r\n\r\n"u8))
            headers = buffer;
        end = reader.Position;
        return headers.Length > MaxHeaderBytes
            ? throw new MultipartException($"The headers of a part are longer than {MaxHeaderBytes} bytes.")
            : reader.Consumed > 0;
    }

    private async ValueTask<(ReadOnlySequence<byte> Buffer, bool Last)> FillAsync(CancellationToken ct)
    {
        Release();
        var result = await _body.ReadAsync(ct);
        Hold(result.Buffer.Start);
        _empty &= result.Buffer.IsEmpty;
        // A read that was cancelled brings nothing new: Kestrel interrupts one when the server is told to stop, and the body goes on.
        return (result.Buffer, result.IsCompleted);
    }

    private void Hold(SequencePosition consumed, SequencePosition? examined = null) =>
        (_consumed, _examined, _holding) = (consumed, examined ?? consumed, true);

    private void Release()
    {
        if (_holding)
            _body.AdvanceTo(_consumed, _examined);
        _holding = false;
    }

    private MultipartException Truncated() => new(
        _empty ? "The body of this request is empty, although its Content-Type announces a form. Send it again."
        : _parts == 0 ? "The body holds no part: the boundary of the Content-Type does not occur in it."
        : "The body ends before its closing boundary. Send it again.")
    {
        IsIncomplete = _empty || _parts > 0,
    };

    private static bool StartsWith(ReadOnlySequence<byte> buffer, ReadOnlySpan<byte> value) =>
        new SequenceReader<byte>(buffer).IsNext(value);
}
