using System.Net.Sockets;

namespace Apertur.Destinations;

/// <summary>
/// One connection of <see cref="OutboundHttp"/>. It sees two things that the handler above it does not: an answer that comes while the
/// request is still being sent, and whether a request that failed was on a connection that had been used before.
/// </summary>
/// <remarks>
/// A receiver may answer before it has read everything and then read no further (RFC 9112, 9.5): the handler would go on writing until the
/// connection breaks, and the answer would be lost. Here the rest of such a request is dropped, and the handler finds the answer.
/// </remarks>
internal sealed class OutboundConnection(Stream inner) : Stream
{
    // A receiver that has answered and still takes bytes gets them all; one that takes none for so long has seen enough.
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(1);

    private static readonly AsyncLocal<Exchange?> _current = new();

    private readonly Lock _lock = new();
    private readonly byte[] _early = new byte[4096];
    private (int Start, int End) _held;
    private Task? _reading;
    private bool _handlerReads, _received, _isOver, _wasUsed;
    private TaskCompletionSource _answered = NewSource();

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Opens the record of a request: the connections it is written to enter themselves, as long as the caller's flow lasts.</summary>
    public static Exchange Begin() => _current.Value = new Exchange();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Enter();
        if (_isOver)
            return;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var writing = inner.WriteAsync(buffer, stop.Token).AsTask();
        try
        {
            if (!writing.IsCompleted)
            {
                _ = ReadAhead();
                await Task.WhenAny(writing, _answered.Task).ConfigureAwait(false);
                if (!writing.IsCompleted)
                    await Task.WhenAny(writing, Task.Delay(_grace, TimeProvider.System, stop.Token)).ConfigureAwait(false);
            }

            if (!writing.IsCompleted)
            {
                // Waited for: the buffer is the caller's again when this method returns.
                _isOver = true;
                await stop.CancelAsync().ConfigureAwait(false);
            }

            await writing.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            // What came before the connection broke is still there to be read.
            if (ReadAhead() is { } reading)
                await Task.WhenAny(reading, Task.Delay(_grace, TimeProvider.System, stop.Token)).ConfigureAwait(false);
            _isOver = true;
            if (!_received)
                throw;
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task? reading;
            lock (_lock)
            {
                if (_held.End > _held.Start)
                    return Take(buffer.Span);
                reading = _reading;
                _handlerReads = reading is null;
            }

            if (reading is not null)
            {
                await reading.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            try
            {
                var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                Note(buffer.Span[..count]);
                return count;
            }
            finally
            {
                _handlerReads = false;
            }
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Notes that the request of this flow is on this connection now.</summary>
    /// <exception cref="IOException">The request before it was not sent whole, so nothing can follow it here.</exception>
    private void Enter()
    {
        if (_current.Value is not { } exchange || exchange.Connection == this)
            return;
        exchange.Enter(this, _wasUsed);
        (_wasUsed, _received, _answered) = (true, false, NewSource());
        if (_isOver)
            throw new IOException("The connection ended with the request before.");
    }

    /// <summary>Reads what may come while the request is being sent, unless the handler does so itself.</summary>
    private Task? ReadAhead()
    {
        lock (_lock)
        {
            if (_reading is null && !_handlerReads && _held.End == _held.Start)
                _reading = Task.Run(FillAsync);
            return _reading;
        }
    }

    private async Task FillAsync()
    {
        var count = 0;
        try
        {
            count = await inner.ReadAsync(_early).ConfigureAwait(false);
            Note(_early.AsSpan(0, count));
        }
        catch (Exception exception) when (exception is IOException or SocketException or ObjectDisposedException)
        {
            // The handler's own next read says the same.
        }

        lock (_lock)
            (_held, _reading) = ((0, count), null);
    }

    private int Take(Span<byte> buffer)
    {
        var count = Math.Min(buffer.Length, _held.End - _held.Start);
        _early.AsSpan(_held.Start, count).CopyTo(buffer);
        _held.Start += count;
        return count;
    }

    private void Note(ReadOnlySpan<byte> received)
    {
        _received |= !received.IsEmpty;
        if (BeginsFinalAnswer(received))
            _answered.TrySetResult();
    }

    /// <summary>Whether a status line is there that is not one of 1xx, which others follow (RFC 9110, 15.2).</summary>
    internal static bool BeginsFinalAnswer(ReadOnlySpan<byte> received)
    {
        while (received.StartsWith("HTTP/1."u8) && received.Length > 9)
        {
            if (received[9] != (byte)'1')
                return true;
            var end = received.IndexOf("\r\n\r\n"u8);
            if (end < 0)
                return false;
            received = received[(end + 4)..];
        }

        return false;
    }

    /// <summary>What is known of one request's way out.</summary>
    public sealed class Exchange
    {
        private bool _isReused;

        internal OutboundConnection? Connection { get; private set; }

        /// <summary>
        /// Whether the receiver may never have seen it: the connection had been used before, and not a byte came back. It was closed at the
        /// other end while nothing was said (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
        /// </summary>
        public bool WasOnStaleConnection => _isReused && Connection is { _received: false };

        internal void Enter(OutboundConnection connection, bool isReused) => (Connection, _isReused) = (connection, isReused);
    }
}
