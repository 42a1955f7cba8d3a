using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Tests.Support;

/// <summary>A receiver that speaks to the socket itself, for what a web server does not do: answering early, and closing without a word.</summary>
internal sealed class RawReceiver : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly Func<Connection, int, Task> _handle;
    private readonly Task _accepting;
    private int _count;

    private RawReceiver(Func<Connection, int, Task> handle)
    {
        _handle = handle;
        // Small, so that a body does not fit into what the system takes by itself.
        _listener.Server.ReceiveBufferSize = 8192;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/hook";

    public int Connections => Volatile.Read(ref _count);

    /// <param name="handle">Handles one connection, of which the first has number 1. It is closed when the task ends.</param>
    public static RawReceiver Start(Func<Connection, int, Task> handle) => new(handle);

    /// <summary>Answers as soon as the headers are there, without a look at the body, and then does as <paramref name="manner"/> says.</summary>
    public static RawReceiver AnsweringEarly(string manner, string status = "200 OK") => Start(async (connection, _) =>
    {
        await connection.ReadHeadersAsync();
        await connection.SendAsync($"HTTP/1.1 {status}\r\nContent-Length: 2\r\n{(manner == "keep" ? "" : "Connection: close\r\n")}\r\nok");
        switch (manner)
        {
            case "linger":
                connection.Socket.Shutdown(SocketShutdown.Send);
                await connection.ReadToEndAsync();
                break;
            case "shut":
                connection.Socket.Shutdown(SocketShutdown.Send);
                await connection.WaitAsync();
                break;
            case "keep":
                await connection.WaitAsync();
                break;
        }
    });

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                _connections.Add(ServeAsync(socket, Interlocked.Increment(ref _count)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
        }
    }

    private async Task ServeAsync(Socket socket, int number)
    {
        using (socket)
        {
            try
            {
                await _handle(new Connection(socket, _stop.Token), number);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
            {
            }
        }
    }

    internal sealed class Connection(Socket socket, CancellationToken stop)
    {
        public Socket Socket => socket;

        /// <summary>Of the last request, its first line included.</summary>
        public string Headers { get; private set; } = "";

        /// <summary>Reads until a request's headers have ended; false when the sender has closed instead.</summary>
        public async Task<bool> ReadHeadersAsync()
        {
            var seen = new StringBuilder();
            var one = new byte[1];
            while (!seen.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                if (await socket.ReceiveAsync(one, stop) == 0)
                    return false;
                seen.Append((char)one[0]);
            }

            Headers = seen.ToString();
            return true;
        }

        /// <summary>The body of the last request, as long as its headers say.</summary>
        public async Task<byte[]> ReadBodyAsync()
        {
            var length = Headers.Split("\r\n").Single(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)).Split(':')[1];
            var body = new byte[int.Parse(length, System.Globalization.CultureInfo.InvariantCulture)];
            for (var read = 0; read < body.Length;)
                read += await socket.ReceiveAsync(body.AsMemory(read), stop) is > 0 and var count ? count : throw new SocketException();
            return body;
        }

        public async Task ReadToEndAsync()
        {
            var buffer = new byte[64 * 1024];
            while (await socket.ReceiveAsync(buffer, stop) > 0)
            {
            }
        }

        public Task SendAsync(string text) => socket.SendAsync(Encoding.ASCII.GetBytes(text), stop).AsTask();

        /// <summary>Takes nothing more, and keeps the connection open until the test ends.</summary>
        public Task WaitAsync() => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
    }
}
