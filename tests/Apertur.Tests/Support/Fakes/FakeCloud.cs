using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Apertur.Tests.Support.Fakes;

/// <summary>One request as a stand-in got it.</summary>
/// <param name="Line">Method and path with query, such as <c>GET /drive/v3/files?q=…</c>.</param>
/// <param name="Authorization">The header of that name; empty when absent.</param>
/// <param name="ContentRange">The header of that name; empty when absent.</param>
public sealed record CloudRequest(string Line, string Authorization, string ContentRange);

/// <summary>
/// A real HTTP server on loopback that stands for a cloud service, and can be told to misbehave: each fault hits the next
/// request whose line contains a given text, once.
/// </summary>
public abstract class FakeCloud : IAsyncDisposable
{
    private readonly ConcurrentQueue<CloudRequest> _requests = new();
    private readonly List<(string Line, Func<HttpContext, Func<Task>, Task> Act)> _faults = [];
    private WebApplication _app = null!;
    private (double Share, Random Dice)? _chaos;

    /// <summary>Where it listens, ending in a slash.</summary>
    public Uri Root { get; private set; } = null!;

    /// <summary>Everything received so far, in order of arrival.</summary>
    public IReadOnlyList<CloudRequest> Requests => [.. _requests];

    /// <summary>How many requests had a line that contains the text.</summary>
    public int Count(string line) => _requests.Count(request => request.Line.Contains(line, StringComparison.Ordinal));

    protected abstract void Map(WebApplication app);

    protected async Task StartServerAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
        });
        _app = builder.Build();
        _app.Use(HandleAsync);
        _app.UseRouting();
        Map(_app);
        await _app.StartAsync();
        Root = new Uri(_app.Urls.First() + "/");
    }

    /// <summary>
    /// The next such request is handled by this instead; its second argument goes on as if nothing had happened.
    /// </summary>
    public void On(string line, Func<HttpContext, Func<Task>, Task> act)
    {
        lock (_faults)
            _faults.Add((line, act));
    }

    /// <summary>Refuses with this status and body.</summary>
    public void Refuse(string line, int status, string body = "", int? retryAfterSeconds = null) =>
        On(line, Refusal(status, body, retryAfterSeconds));

    /// <summary>Does what was asked for, and cuts the connection before it answers.</summary>
    public void LoseAnswer(string line) => On(line, LostAnswer);

    /// <summary>Takes so many bytes of the body, and cuts the connection.</summary>
    public void CutBody(string line, long after) => On(line, Cut(after));

    /// <summary>
    /// From now on, this share of all requests is refused, cut off in the middle, or carried out without an answer.
    /// </summary>
    public void Misbehave(double share, int seed) => _chaos = (share, new Random(seed));

    public void Behave() => _chaos = null;

    /// <summary>Leaves the next such request unanswered until its sender gives up.</summary>
    /// <returns>Completes when it has arrived.</returns>
    public Task Hang(string line)
    {
        var arrived = new TaskCompletionSource();
        On(line, async (context, _) =>
        {
            arrived.SetResult();
            await Receiver.GoneAsync(context);
        });
        return arrived.Task;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        var line = $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}";
        var headers = context.Request.Headers;
        _requests.Enqueue(new CloudRequest(line, headers.Authorization.ToString(), headers.ContentRange.ToString()));
        Func<HttpContext, Func<Task>, Task>? fault = null;
        lock (_faults)
        {
            var index = _faults.FindIndex(f => line.Contains(f.Line, StringComparison.Ordinal));
            if (index >= 0)
            {
                fault = _faults[index].Act;
                _faults.RemoveAt(index);
            }
        }

        fault ??= Chance();
        await (fault is null ? next(context) : fault(context, () => next(context)));
    }

    private static Func<HttpContext, Func<Task>, Task> Refusal(int status, string body, int? retryAfterSeconds) =>
        async (context, _) =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            if (retryAfterSeconds is { } seconds)
                context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json; charset=UTF-8";
            await context.Response.WriteAsync(body);
        };

    private static async Task LostAnswer(HttpContext context, Func<Task> next)
    {
        context.Response.Body = Stream.Null;
        await next();
        context.Abort();
    }

    private static Func<HttpContext, Func<Task>, Task> Cut(long after) => async (context, next) =>
    {
        context.Request.Body = new CutStream(context.Request.Body, after);
        try
        {
            await next();
        }
        catch (IOException)
        {
            context.Abort();
        }
    };

    private Func<HttpContext, Func<Task>, Task>? Chance()
    {
        if (_chaos is not var (share, dice))
            return null;
        lock (dice)
        {
            if (dice.NextDouble() >= share)
                return null;
            return dice.Next(5) switch
            {
                0 => Refusal(429, "", retryAfterSeconds: 1),
                1 => Refusal(500, "planted", null),
                2 => Refusal(503, "", null),
                3 => LostAnswer,
                _ => Cut(dice.Next(10_000_000)),
            };
        }
    }

    /// <summary>A body that ends in an error, as a broken connection does.</summary>
    private sealed class CutStream(Stream inner, long left) : Stream
    {
        private long _left = left;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_left == 0)
                throw new IOException("The connection was cut.");
            var read = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken);
            _left -= read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
