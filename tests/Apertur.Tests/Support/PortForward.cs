using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Apertur.Tests.Support;

/// <summary>One address for servers that come and go, as a balancer gives it: passes bytes on to whatever port is the target now.</summary>
internal sealed class PortForward : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<TcpClient, bool> _clients = new();
    private readonly Task _accepting;
    private volatile TaskCompletionSource? _held;
    private int _connections;

    public PortForward(string target)
    {
        Target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Connections that were made, wherever they led.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Where connections that are made from now on lead to.</summary>
    public string Target { get; set; }

    /// <summary>Ends every connection, and lets none through until there is a <see cref="Target"/> again.</summary>
    public void Cut()
    {
        // The port of nothing: connections to it are refused.
        Target = "http://127.0.0.1:1";
        foreach (var client in _clients.Keys)
            client.Dispose();
    }

    /// <summary>
    /// From now on nothing comes through and nobody is told, until <see cref="Release"/>. Connections there are by then stay silent for good, as
    /// behind a firewall that has forgotten them.
    /// </summary>
    public void Hold()
    {
        _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var client in _clients.Keys)
            _clients[client] = false;
    }

    public void Release()
    {
        _held?.SetResult();
        _held = null;
    }

    public string Url => $"http://{_listener.LocalEndpoint}";

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
                open.Add(PassAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task PassAsync(TcpClient incoming)
    {
        Interlocked.Increment(ref _connections);
        using var client = incoming;
        _clients[client] = true;
        using var server = new TcpClient();
        try
        {
            if (_held is { } held)
                await held.Task.WaitAsync(_end.Token);
            var target = new Uri(Target);
            await server.ConnectAsync(target.Host, target.Port, _end.Token);
            var (here, there) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(PassAsync(here, there, client), PassAsync(there, here, client));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or IOException or ObjectDisposedException)
        {
            // Nothing is there now: the client sees its connection end.
        }
        finally
        {
            _clients.TryRemove(client, out _);
        }
    }

    private async Task PassAsync(NetworkStream from, NetworkStream to, TcpClient client)
    {
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await from.ReadAsync(buffer, _end.Token)) > 0)
        {
            if (!_clients.GetValueOrDefault(client, true))
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _end.Token);
            await to.WriteAsync(buffer.AsMemory(0, count), _end.Token);
        }
    }
}
