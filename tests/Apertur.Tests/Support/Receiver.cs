using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Apertur.Tests.Support;

/// <summary>One request as a <see cref="Receiver"/> got it.</summary>
/// <param name="Method">Such as <c>POST</c>.</param>
/// <param name="Path">With the query string.</param>
/// <param name="Headers">Names in any case; values of repeated headers joined by commas.</param>
/// <param name="Body">The raw bytes; empty when the receiver does not keep bodies.</param>
/// <param name="Length">Bytes of body that arrived.</param>
/// <param name="BodySha256">Of the raw body, lower-case hex.</param>
public sealed record Received(
    string Method, string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body, long Length, string BodySha256)
{
    /// <summary>The header of that name; null when it was not sent.</summary>
    public string? this[string header] => Headers.GetValueOrDefault(header);
}

/// <summary>
/// The world's end of a webhook: a real HTTP server on loopback that keeps what it receives. It answers 200 unless told
/// otherwise.
/// </summary>
/// <example><code>
/// await using var receiver = await Receiver.StartAsync();
/// receiver.Answers(503, 503);            // then 200 again
/// var first = await receiver.NextAsync(cancellationToken);
/// </code></example>
public sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _answers = new();
    private readonly ConcurrentQueue<Received> _requests = new();
    private readonly Channel<Received> _unseen = Channel.CreateUnbounded<Received>();

    private Receiver(WebApplication app) => _app = app;

    /// <summary>Where it listens, such as <c>http://127.0.0.1:40123/hook</c>.</summary>
    public string Url => new Uri(new Uri(_app.Urls.First()), "/hook").AbsoluteUri;

    /// <summary>Everything received so far, in order of arrival.</summary>
    public IReadOnlyList<Received> Requests => [.. _requests];

    /// <summary>Whether <see cref="Received.Body"/> is kept; switch it off for bodies that must not fill memory.</summary>
    public bool KeepsBodies { get; set; } = true;

    /// <summary>Handles every request that no answer was queued for; null for a plain 200.</summary>
    public Func<HttpContext, Task>? Otherwise { get; set; }

    public static async Task<Receiver> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
        });
        var app = builder.Build();
        var receiver = new Receiver(app);
        app.Run(receiver.HandleAsync);
        await app.StartAsync();
        return receiver;
    }

    /// <summary>The next requests get these statuses, one each, after their body was read.</summary>
    public Receiver Answers(params int[] statuses)
    {
        foreach (var status in statuses)
            AnswersWith(context => context.Response.StatusCode = status);
        return this;
    }

    /// <summary>The next request gets this status and is asked to wait so long.</summary>
    public Receiver AsksToWait(int status, int seconds) => AnswersWith(context =>
    {
        context.Response.StatusCode = status;
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
    });

    /// <summary>The next request gets this answer, after its body was read.</summary>
    public Receiver AnswersWith(Action<HttpContext> answer) => Handles(async context =>
    {
        await ReadAsync(context);
        answer(context);
    });

    /// <summary>
    /// The next request is handled by this alone: its body is not read and it does not appear in <see cref="Requests"/>.
    /// </summary>
    public Receiver Handles(Func<HttpContext, Task> handler)
    {
        _answers.Enqueue(handler);
        return this;
    }

    /// <summary>The next request gets no answer until its sender gives up.</summary>
    public Receiver Hangs() => Handles(async context =>
    {
        await ReadAsync(context);
        await GoneAsync(context);
    });

    /// <summary>Completes when the sender of a request has given up.</summary>
    public static async Task GoneAsync(HttpContext context)
    {
        var gone = new TaskCompletionSource();
        await using (context.RequestAborted.Register(gone.SetResult))
            await gone.Task;
    }

    /// <summary>The oldest request that this method has not given yet; waits for it.</summary>
    public async Task<Received> NextAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        return await _unseen.Reader.ReadAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private Task HandleAsync(HttpContext context) =>
        _answers.TryDequeue(out var answer) ? answer(context) : (Otherwise ?? ReadAsync)(context);

    /// <summary>Reads a request to its end, and keeps it.</summary>
    public async Task ReadAsync(HttpContext context)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var kept = new MemoryStream();
        var buffer = new byte[64 * 1024];
        var length = 0L;
        int count;
        while ((count = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            length += count;
            hash.AppendData(buffer, 0, count);
            if (KeepsBodies)
                kept.Write(buffer, 0, count);
        }

        var received = new Received(
            context.Request.Method,
            context.Request.Path + context.Request.QueryString,
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            kept.ToArray(),
            length,
            Convert.ToHexStringLower(hash.GetHashAndReset()));
        _requests.Enqueue(received);
        _unseen.Writer.TryWrite(received);
    }
}
