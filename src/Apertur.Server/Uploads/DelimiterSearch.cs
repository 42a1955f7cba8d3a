using System.Buffers;

namespace Apertur.Server.Uploads;

/// <summary>Finds a multipart delimiter in a buffer of many segments at the speed of the vectorised span search.</summary>
internal static class DelimiterSearch
{
    /// <summary>Offset of the first occurrence, -1 when there is none. The delimiter is 2 to 128 bytes long.</summary>
    public static long IndexOf(in ReadOnlySequence<byte> buffer, ReadOnlySpan<byte> delimiter)
    {
        if (buffer.IsSingleSegment)
            return buffer.FirstSpan.IndexOf(delimiter);

        // A match across a border begins in the last bytes before it: those are carried over and searched together with the
        // first bytes after it.
        Span<byte> window = stackalloc byte[256];
        var overlap = delimiter.Length - 1;
        var carried = 0;
        long start = 0;
        foreach (var segment in buffer)
        {
            var span = segment.Span;
            var head = span[..Math.Min(overlap, span.Length)];
            head.CopyTo(window[carried..]);
            if (window[..(carried + head.Length)].IndexOf(delimiter) is var crossing and >= 0)
                return start - carried + crossing;
            if (span.IndexOf(delimiter) is var inside and >= 0)
                return start + inside;

            if (span.Length >= overlap)
            {
                span[^overlap..].CopyTo(window);
                carried = overlap;
            }
            else
            {
                var filled = carried + span.Length;
                var surplus = Math.Max(0, filled - overlap);
                window[surplus..filled].CopyTo(window);
                carried = filled - surplus;
            }

            start += span.Length;
        }

        return -1;
    }
}
