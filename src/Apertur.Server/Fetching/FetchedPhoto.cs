using System.Buffers;
using Apertur.Server.Http;
using Apertur.Server.Uploads;

namespace Apertur.Server.Fetching;

/// <summary>The answer that brings a photo, as the bytes of a file on its way in. It must come at the rate that uploads must.</summary>
internal sealed class FetchedPhoto : IDisposable
{
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(30);

    private static readonly string[] _endings = [".heic", ".heif", ".jpeg", ".jpg", ".png", ".webp"];

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(ImageIntake.ChunkBytes);
    private readonly int _bytesPerSecond;
    private readonly TimeProvider _clock;
    private readonly long _began;
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource _tooSlow;
    private readonly CancellationTokenSource _stop;
    private HttpResponseMessage? _response;
    private Stream? _body;
    private long _received;

    /// <param name="bytesPerSecond">Fewer, after the first half minute, are too slow.</param>
    /// <param name="clock">Measures that.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public FetchedPhoto(int bytesPerSecond, TimeProvider clock, CancellationToken cancellationToken)
    {
        _bytesPerSecond = bytesPerSecond;
        _clock = clock;
        _began = clock.GetTimestamp();
        _caller = cancellationToken;
        _tooSlow = new CancellationTokenSource(_grace, clock);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _tooSlow.Token);
    }

    /// <summary>As whoever gives it out calls it, or the end of its address where that names a picture; not to be trusted.</summary>
    public string? Filename { get; private set; }

    /// <summary>Goes on with the answer's body.</summary>
    public async Task TakeAsync(HttpResponseMessage response)
    {
        _response = response;
        var said = response.Content.Headers.ContentDisposition;
        Filename = said?.FileNameStar ?? said?.FileName?.Trim('"') ?? NameIn(response.RequestMessage!.RequestUri!);
        _body = await GuardAsync(token => new ValueTask<Stream>(response.Content.ReadAsStreamAsync(token)));
    }

    /// <inheritdoc cref="ReadBytes"/>
    /// <exception cref="ApiErrorException">422.</exception>
    public async ValueTask<ReadOnlySequence<byte>> ReadAsync(int minimum, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var filled = 0;
        while (filled < minimum)
        {
            var count = await GuardAsync(token => _body!.ReadAsync(_buffer.AsMemory(filled), token));
            if (count == 0 && _received == 0)
                throw ApiErrors.SourceRefused((int)_response!.StatusCode).ToException();
            if (count == 0)
                break;
            filled += count;
            _received += count;
            var left = _grace + TimeSpan.FromSeconds((double)_received / _bytesPerSecond) - _clock.GetElapsedTime(_began);
            _tooSlow.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        return new ReadOnlySequence<byte>(_buffer, 0, filled);
    }

    /// <summary>Runs a part of the fetch. Whatever breaks it at the other end is one refusal.</summary>
    /// <exception cref="ApiErrorException">422.</exception>
    public async ValueTask<T> GuardAsync<T>(Func<CancellationToken, ValueTask<T>> run)
    {
        try
        {
            return await run(_stop.Token);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            _caller.ThrowIfCancellationRequested();
            // That a connection takes too long to come shows as a cancellation of nobody's.
            throw (_tooSlow.IsCancellationRequested ? ApiErrors.SourceTooSlow : ApiErrors.SourceUnreachable).ToException();
        }
    }

    // Any other end may be what lets somebody in, and names of photos are passed on.
    private static string? NameIn(Uri address)
    {
        var end = Uri.UnescapeDataString(address.Segments[^1]);
        return Array.Exists(_endings, ending => end.EndsWith(ending, StringComparison.OrdinalIgnoreCase)) ? end : null;
    }

    public void Dispose()
    {
        _response?.Dispose();
        _stop.Dispose();
        _tooSlow.Dispose();
        ArrayPool<byte>.Shared.Return(_buffer);
    }
}
