using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Server.Realtime;

/// <summary>
/// One client of an <see cref="EngineServer"/>, over whichever transport it uses now. Between packets it holds no thread, no task and no
/// buffer of its own, only a timer. What is sent waits here until the client fetches it or its WebSocket takes it.
/// </summary>
internal sealed class EngineConnection : IDisposable
{
    // What is left of a request that was sent right behind the client's change to WebSocket.
    private static readonly TimeSpan _upgradeWait = TimeSpan.FromMilliseconds(100);

    private readonly EngineOptions _options;
    private readonly Action<EngineConnection> _ended;
    private readonly Lock _lock = new();
    private readonly Queue<EnginePacket> _waiting = [];
    private readonly SemaphoreSlim _receiving = new(1);
    private readonly ITimer _timer;
    private TaskCompletionSource? _poll;
    private WebSocket? _socket;
    private bool _isProbed;
    private bool _isFlushing;
    private bool _isPongDue;
    private bool _isClosed;

    public EngineConnection(EngineOptions options, TimeProvider clock, string address, Action<EngineConnection> ended)
    {
        (_options, Address, _ended) = (options, address, ended);
        _timer = clock.CreateTimer(_ => OnTimer(), null, options.PingInterval, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Names the connection, and is all that a polling client shows for it: 120 random bits.</summary>
    public string Id { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(15));

    /// <summary>The subject of the client's address for rate limits.</summary>
    public string Address { get; }

    /// <summary>The handler of messages, called one at a time in the order in which they were sent.</summary>
    public Func<EnginePacket, Task> Received { get; set; } = _ => Task.CompletedTask;

    /// <summary>Called once, when the client has disconnected or was disconnected.</summary>
    public Action Closed { get; set; } = () => { };

    public bool IsClosed
    {
        get
        {
            lock (_lock)
                return _isClosed;
        }
    }

    /// <summary>Whether polling is over for it.</summary>
    public bool IsWebSocket
    {
        get
        {
            lock (_lock)
                return _socket is not null;
        }
    }

    public void Send(EnginePacket packet)
    {
        lock (_lock)
        {
            if (_isClosed)
                return;
            if (_waiting.Count < _options.MaxWaiting)
            {
                _waiting.Enqueue(packet);
                Wake();
                return;
            }
        }

        Close();
    }

    /// <summary>Ends the connection. A client that waits learns of it; everybody else finds it gone.</summary>
    public void Close() => End(EnginePacket.Close);

    /// <summary>Takes what a client sent.</summary>
    /// <param name="packets">Null for what was none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when that ended the connection.</returns>
    public async Task<bool> TakeAsync(IReadOnlyList<EnginePacket>? packets, CancellationToken cancellationToken)
    {
        await _receiving.WaitAsync(cancellationToken);
        try
        {
            foreach (var packet in packets ?? [EnginePacket.Noop])
            {
                switch (packet.Type)
                {
                    case EngineType.Message:
                        await Received(packet);
                        break;
                    case EngineType.Pong:
                        ArmPing();
                        break;
                    case EngineType.Close:
                        End(EnginePacket.Noop);
                        return true;
                    default:
                        Close();
                        return false;
                }
            }
        }
        finally
        {
            _receiving.Release();
        }

        return !IsClosed;
    }

    /// <summary>Waits for something to send and gives it, for one poll.</summary>
    /// <returns>Null when another poll is waiting already, which ends the connection, or polling is over.</returns>
    public async Task<string?> PollAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource? woken = null;
        bool isProbed;
        lock (_lock)
        {
            isProbed = _isProbed;
            if (_poll is null && _waiting.Count == 0 && !_isClosed)
                woken = _poll = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            else if (_poll is null)
                return Drain();
        }

        if (woken is null)
        {
            Close();
            return null;
        }

        try
        {
            await woken.Task.WaitAsync(isProbed ? _upgradeWait : Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The client is still at it; it polls until it has changed.
        }
        catch (OperationCanceledException)
        {
            lock (_lock)
                _poll = null;
            throw;
        }

        lock (_lock)
        {
            _poll = null;
            return _socket is null ? Drain() : null;
        }
    }

    /// <summary>Serves a WebSocket until it ends: as the only transport, or as the one that a polling client changes to.</summary>
    public async Task RunAsync(WebSocket socket, bool upgrade, CancellationToken cancellationToken)
    {
        if (!upgrade)
            Adopt(socket);
        var adopted = !upgrade;
        try
        {
            while (await EngineSocketReader.ReadAsync(socket, _options.MaxPayload, cancellationToken) is { } packet)
            {
                if (adopted)
                {
                    if (!await TakeAsync([packet], cancellationToken))
                        break;
                }
                else if (packet is { Type: EngineType.Ping, Text: "probe" })
                {
                    await SendTextAsync(socket, "3probe", cancellationToken);
                    Probe();
                }
                else if (packet.Type == EngineType.Upgrade && Adopt(socket))
                {
                    adopted = true;
                }
                else
                {
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or IOException)
        {
            // It has gone; nobody waits for an answer.
        }
        finally
        {
            if (adopted)
                End(EnginePacket.Close);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void OnTimer()
    {
        lock (_lock)
        {
            if (_isClosed)
                return;
            if (!_isPongDue)
            {
                _isPongDue = true;
                _timer.Change(_options.PingTimeout, Timeout.InfiniteTimeSpan);
                _waiting.Enqueue(EnginePacket.Ping);
                Wake();
                return;
            }
        }

        Close();
    }

    private void ArmPing()
    {
        lock (_lock)
        {
            if (_isClosed || !_isPongDue)
                return;
            _isPongDue = false;
            _timer.Change(_options.PingInterval, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>From now on polls end at once, so that the client gets on with its change of transport.</summary>
    private void Probe()
    {
        lock (_lock)
        {
            _isProbed = true;
            _poll?.TrySetResult();
        }
    }

    private bool Adopt(WebSocket socket)
    {
        lock (_lock)
        {
            if (_isClosed || _socket is not null)
                return false;
            _socket = socket;
            _poll?.TrySetResult();
            Wake();
            return true;
        }
    }

    /// <summary>Under the lock.</summary>
    private void Wake()
    {
        _poll?.TrySetResult();
        if (_socket is null || _isFlushing || _waiting.Count == 0)
            return;
        _isFlushing = true;
        _ = Task.Run(FlushAsync);
    }

    private async Task FlushAsync()
    {
        while (true)
        {
            EnginePacket packet;
            lock (_lock)
            {
                if (_isClosed || !_waiting.TryDequeue(out packet!))
                {
                    _isFlushing = false;
                    return;
                }
            }

            try
            {
                if (packet.Binary is { } bytes)
                    await _socket!.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
                else
                    await SendTextAsync(_socket!, packet.Encoded, CancellationToken.None);
            }
            catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException
                or InvalidOperationException)
            {
                Close();
            }
        }
    }

    /// <summary>Under the lock: what a poll is answered with, as much as one payload may hold.</summary>
    private string Drain()
    {
        if (_waiting.Count == 0)
            return EnginePacket.Noop.Encoded;
        var payload = new StringBuilder();
        var bytes = 0;
        while (_waiting.TryPeek(out var next) && (bytes == 0 || bytes + 1 + next.EncodedBytes <= _options.MaxPayload))
        {
            bytes += 1 + next.EncodedBytes;
            payload.Append(payload.Length > 0 ? EnginePacket.Separator : "").Append(_waiting.Dequeue().Encoded);
        }

        return payload.ToString();
    }

    private void End(EnginePacket last)
    {
        WebSocket? socket;
        lock (_lock)
        {
            if (_isClosed)
                return;
            _isClosed = true;
            socket = _socket;
            _waiting.Clear();
            _waiting.Enqueue(last);
            _poll?.TrySetResult();
        }

        _timer.Dispose();
        _ended(this);
        Closed();
        // Its reader ends with it. A closing handshake could wait for a client that is no longer there.
        socket?.Abort();
    }

    private static Task SendTextAsync(WebSocket socket, string text, CancellationToken cancellationToken) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
}
