using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Bench;

/// <summary>One keep-alive HTTP/1.1 connection on a blocking socket: one system call sends a request from buffers made before.</summary>
internal sealed class Connection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[64 * 1024];

    public Connection(int port)
    {
        _socket.ReceiveTimeout = _socket.SendTimeout = 30_000;
        _socket.Connect(IPAddress.Loopback, port);
    }

    public void Send(IList<ArraySegment<byte>> pieces)
    {
        var length = pieces.Sum(piece => piece.Count);
        if (_socket.Send(pieces) != length)
            throw new IOException("The server did not take the whole request.");
    }

    /// <summary>Reads one answer to its end.</summary>
    /// <exception cref="IOException">It is no 2xx, or the connection closed.</exception>
    public string Receive()
    {
        int filled = 0, head;
        while ((head = _buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
            filled += More(filled);
        var headers = Encoding.ASCII.GetString(_buffer, 0, head).ToUpperInvariant();
        var start = head + 4;
        var body = new StringBuilder();
        if (headers.Contains("\r\nTRANSFER-ENCODING: CHUNKED", StringComparison.Ordinal))
        {
            int length;
            do
            {
                while ((head = _buffer.AsSpan(start, filled - start).IndexOf("\r\n"u8)) < 0)
                    filled += More(filled);
                length = int.Parse(Encoding.ASCII.GetString(_buffer, start, head), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                start += head + 2;
                while (filled < start + length + 2)
                    filled += More(filled);
                body.Append(Encoding.UTF8.GetString(_buffer, start, length));
                start += length + 2;
            }
            while (length > 0);
        }
        else if (headers.IndexOf("\r\nCONTENT-LENGTH:", StringComparison.Ordinal) is var at and >= 0)
        {
            var line = headers.AsSpan(at + 17);
            var length = int.Parse(line[..(line.IndexOf('\r') is var end and >= 0 ? end : line.Length)], CultureInfo.InvariantCulture);
            while (filled < start + length)
                filled += More(filled);
            body.Append(Encoding.UTF8.GetString(_buffer, start, length));
        }

        return headers.StartsWith("HTTP/1.1 2", StringComparison.Ordinal)
            ? body.ToString()
            : throw new IOException($"The server refused: {headers.Split('\r')[0]} {body}");
    }

    public void Dispose() => _socket.Dispose();

    private int More(int filled) => _socket.Receive(_buffer, filled, _buffer.Length - filled, SocketFlags.None) is var got and > 0
        ? got
        : throw new IOException("The server closed the connection.");
}
