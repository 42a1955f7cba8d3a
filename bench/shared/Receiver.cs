using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Bench;

/// <summary>
/// A webhook that answers 200 at once, on a blocking socket and thread for each connection: it reads no more of a request than it must, so that
/// what is measured is the sender.
/// </summary>
internal sealed class Receiver : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ManualResetEventSlim _arrived = new();
    private int _left;
    private long _lastFirstByte;

    public Receiver()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1024);
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public string Url => $"http://127.0.0.1:{Port}/";

    /// <summary>When the request that arrived last began, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long LastFirstByte => Volatile.Read(ref _lastFirstByte);

    /// <summary>How many requests are still to come.</summary>
    public int Left => Volatile.Read(ref _left);

    public void Expect(int requests)
    {
        _arrived.Reset();
        _left = requests;
    }

    /// <summary>Waits until all have come.</summary>
    /// <exception cref="IOException">They have not within ten minutes.</exception>
    public void Wait()
    {
        if (!_arrived.Wait(TimeSpan.FromMinutes(10)))
            throw new IOException($"After ten minutes {Left} requests had not arrived.");
    }

    public void Dispose()
    {
        _listener.Dispose();
        _arrived.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var connection = _listener.Accept();
                connection.NoDelay = true;
                new Thread(() => ServeToTheEnd(connection), 128 * 1024) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // The measurement is over.
        }
    }

    private void ServeToTheEnd(Socket connection)
    {
        try
        {
            Serve(connection);
        }
        catch (SocketException)
        {
            // The server was ended with requests under way.
        }
    }

    private void Serve(Socket connection)
    {
        var answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray();
        // Whoever is asked before a large body says so at once, as HTTP servers do.
        var goOn = "HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray();
        var buffer = new byte[64 * 1024];
        var filled = 0;
        using (connection)
        {
            while (true)
            {
                int head;
                var firstByte = 0L;
                while ((head = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
                {
                    if (More() == 0)
                        return;
                    if (firstByte == 0)
                        firstByte = Stopwatch.GetTimestamp();
                }

                if (buffer.AsSpan(0, head).IndexOf("100-continue"u8) >= 0)
                    connection.Send(goOn);
                for (var left = head + 4 + BodyLength(buffer.AsSpan(0, head)) - filled; left > 0;)
                {
                    // Bodies may be larger than the buffer; nobody looks at them.
                    filled = 0;
                    if (More() is var got && got == 0)
                        return;
                    left -= got;
                }

                filled = 0;
                Volatile.Write(ref _lastFirstByte, firstByte);
                connection.Send(answer);
                if (Interlocked.Decrement(ref _left) == 0)
                    _arrived.Set();
            }
        }

        int More()
        {
            var got = connection.Receive(buffer, filled, buffer.Length - filled, SocketFlags.None);
            filled += got;
            return got;
        }
    }

    private static int BodyLength(ReadOnlySpan<byte> head)
    {
        foreach (var line in Encoding.ASCII.GetString(head).Split("\r\n"))
        {
            if (line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                return int.Parse(line.AsSpan(15), provider: null);
        }

        throw new IOException("A request came without its length.");
    }
}
