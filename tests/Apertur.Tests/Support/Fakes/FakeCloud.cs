using System.Collections.Concurrent;
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
    private Faults? _chaos;

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
        On(line, Faults.Refusal(status, body, retryAfterSeconds));

    /// <summary>Does what was asked for, and cuts the connection before it answers.</summary>
    public void LoseAnswer(string line) => On(line, Faults.LostAnswer);

    /// <summary>Takes so many bytes of the body, and cuts the connection.</summary>
    public void CutBody(string line, long after) => On(line, Faults.Cut(after));

    /// <summary>
    /// From now on, this share of all requests is refused, cut off in the middle, or carried out without an answer.
    /// </summary>
    /// <param name="share">From 0 to 1.</param>
    /// <param name="seed">Of the dice.</param>
    /// <param name="hangs">The share of these that get no answer until their sender gives up.</param>
    /// <returns>What counts them.</returns>
    public Faults Misbehave(double share, int seed, double hangs = 0) => _chaos = new Faults(share, seed, hangs);

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
        // Each request has a connection of its own: what breaks on one that was used before is sent again at once, and no test would see it.
        context.Response.Headers.Connection = "close";
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

        fault ??= _chaos?.Next();
        await (fault is null ? next(context) : fault(context, () => next(context)));
    }
}
