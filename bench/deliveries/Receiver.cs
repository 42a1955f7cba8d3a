using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Bench.Deliveries;

/// <summary>
/// A webhook that answers 200 at once, on a blocking socket and thread for each connection: it reads no more of a request than it must, so that
/// what is measured is the sender.
/// </summary>
internal sealed class Receiver : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ManualResetEventSlim _arrived = new();
    private int _left;

    public Receiver()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1024);
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}/";

    /// <summary>How many requests are still to come.</summary>
    public int Left => Volatile.Read(ref _left);

    public void Expect(int requests)
    {
        _arrived.Reset();
        _left = requests;
    }

    public bool AllArrived(TimeSpan timeout) => _arrived.Wait(timeout);

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
                new Thread(() => Serve(connection), 128 * 1024) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // The measurement is over.
        }
    }

    private void Serve(Socket connection)
    {
        var answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray();
        var buffer = new byte[64 * 1024];
        var filled = 0;
        using (connection)
        {
            while (true)
            {
                int head;
                while ((head = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
                {
                    if (More() == 0)
                        return;
                }

                for (var left = head + 4 + BodyLength(buffer.AsSpan(0, head)) - filled; left > 0;)
                {
                    // Bodies may be larger than the buffer; nobody looks at them.
                    filled = 0;
                    if (More() is var got && got == 0)
                        return;
                    left -= got;
                }

                filled = 0;
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
