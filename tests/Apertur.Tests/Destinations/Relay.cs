using System.Collections.Concurrent;
using Apertur.Destinations;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Apertur.Tests.Destinations;

/// <summary>
/// Stands before a real S3 server and makes happen what the server alone does not: refusals, hanging, lost replies.
/// </summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private readonly HttpClient _client;
    private readonly Receiver _receiver;
    private readonly string _upstream;
    private readonly ConcurrentQueue<string> _seen = new();

    private Relay(Receiver receiver, string upstream)
    {
        (_receiver, _upstream) = (receiver, upstream.TrimEnd('/'));
        _client = _http.CreateClient();
        receiver.Otherwise = PassAsync;
    }

    public string Endpoint => new Uri(_receiver.Url).GetLeftPart(UriPartial.Authority);

    /// <summary>What was passed on: the method, and <c>if-none-match</c> where it was asked for.</summary>
    public IReadOnlyList<string> Seen => [.. _seen];

    public static async Task<Relay> StartAsync(string upstream) => new(await Receiver.StartAsync(), upstream);

    /// <summary>Objects are never there, and whatever would write one is refused.</summary>
    public void Answer(int status, string code) => _receiver.Otherwise = async context =>
    {
        context.Response.StatusCode = context.Request.Method == "HEAD" ? 404 : status;
        if (context.Request.Method != "HEAD")
        {
            context.Response.ContentType = "application/xml";
            await context.Response.WriteAsync($"<Error><Code>{code}</Code><Message>about wrong-secret-key</Message></Error>");
        }
    };

    /// <summary>The first request of that kind gets no answer until its sender gives up.</summary>
    /// <returns>Completes when it has come.</returns>
    public Task Hang(Func<HttpRequest, bool> which)
    {
        var come = new TaskCompletionSource();
        _receiver.Otherwise = async context =>
        {
            if (!which(context.Request) || !come.TrySetResult())
                await PassAsync(context);
            else
                await Receiver.GoneAsync(context);
        };
        return come.Task;
    }

    /// <summary>The first request of that kind is carried out with success, but its sender never learns of it.</summary>
    public void LoseReply(Func<HttpRequest, bool> which)
    {
        var lost = 0;
        _receiver.Otherwise = context => PassAsync(
            context, loses: status => status < 300 && which(context.Request) && Interlocked.Exchange(ref lost, 1) == 0);
    }

    /// <summary>From now on every request of that kind is carried out, and its sender never learns of it.</summary>
    public void LoseReplies(Func<HttpRequest, bool> which) => _receiver.Otherwise = context => PassAsync(context, loses: _ => which(context.Request));

    /// <summary>Before each request of that kind is passed on, <paramref name="meanwhile"/> happens behind it.</summary>
    public void Before(Func<HttpRequest, bool> which, Func<Task> meanwhile) => _receiver.Otherwise = async context =>
    {
        if (which(context.Request))
            await meanwhile();
        await PassAsync(context);
    };

    /// <summary>The first conditional write is answered so, after <paramref name="meanwhile"/> has happened behind it.</summary>
    public void RefuseCondition(int status, string code, Func<Task> meanwhile)
    {
        var refused = 0;
        _receiver.Otherwise = async context =>
        {
            if (!context.Request.Headers.ContainsKey("If-None-Match") || Interlocked.Exchange(ref refused, 1) == 1)
            {
                await PassAsync(context);
                return;
            }

            await context.Request.Body.CopyToAsync(Stream.Null);
            await meanwhile();
            context.Response.StatusCode = status;
            await context.Response.WriteAsync($"<Error><Code>{code}</Code></Error>");
        };
    }

    /// <summary>From now on requests meet faults.</summary>
    public void Misbehave(Faults faults) => _receiver.Otherwise = context =>
        faults.Next() is { } fault ? fault(context, () => PassAsync(context)) : PassAsync(context);

    /// <summary>Answers without end.</summary>
    public void Flood() => _receiver.Otherwise = async context =>
    {
        context.Response.StatusCode = context.Request.Method == "HEAD" ? 404 : 400;
        var junk = new byte[64 * 1024];
        while (context.Request.Method != "HEAD" && !context.RequestAborted.IsCancellationRequested)
            await context.Response.Body.WriteAsync(junk, context.RequestAborted);
    };

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        _client.Dispose();
        _http.Dispose();
    }

    private Task PassAsync(HttpContext context) => PassAsync(context, loses: _ => false);

    private async Task PassAsync(HttpContext context, Func<int, bool> loses)
    {
        var incoming = context.Request;
        // What breaks on a connection that was used before is sent again at once, and no test would see it.
        context.Response.Headers.Connection = "close";
        _seen.Enqueue(incoming.Method + (incoming.Headers.ContainsKey("If-None-Match") ? " if-none-match" : ""));
        var target = _upstream + context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        using var request = new HttpRequestMessage(new HttpMethod(incoming.Method), target);
        if (incoming.ContentLength is not null)
            request.Content = new StreamContent(incoming.Body);
        foreach (var (name, values) in incoming.Headers.Where(header => header.Key is not "Expect" and not "Connection"))
        {
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        using var response = await _client.SendAsync(request, context.RequestAborted);
        if (loses((int)response.StatusCode))
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, values) in response.Headers.Concat(response.Content.Headers).Where(h => h.Key is not "Transfer-Encoding" and not "Connection"))
            context.Response.Headers[name] = values.ToArray();
        if (incoming.Method != "HEAD")
            await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
