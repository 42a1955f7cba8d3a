using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

public sealed class WebhookConformanceTests : DestinationConformance
{
    private Receiver _receiver = null!;

    protected override IReadOnlyList<string> Secrets { get; } = [Sample.Secret, "t0ken-of-the-owner", "query-key"];

    private protected override IDestinationType Create(OutboundHttp http) => new WebhookDestination(http, TimeProvider.System);

    protected override async Task StartAsync() => _receiver = await Receiver.StartAsync();

    protected override async Task StopAsync() => await _receiver.DisposeAsync();

    protected override JsonObject Values() => new()
    {
        ["url"] = _receiver.Url + "?key=query-key",
        ["secret"] = "s3cret-of-the-hook",
        ["headers"] = new JsonObject { ["Authorization"] = "Bearer t0ken-of-the-owner" },
    };

    private protected override Task<IReadOnlyList<Arrived>> ArrivedAsync() => Task.FromResult<IReadOnlyList<Arrived>>(
    [
        .. _receiver.Requests
            .Where(request => request["X-Aptr-Test"] is null)
            .DistinctBy(request => request["X-APTR-Delivery-ID"])
            .Select(request => JsonNode.Parse(request.Body)!)
            .Select(json => new Arrived(
                (string)json["filename"]!, Convert.FromBase64String((string)json["data"]!), (string)json["mime_type"]!)),
    ]);

    private protected override IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals()
    {
        foreach (var status in (int[])[301, 302, 307, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504])
            yield return ($"status {status}", () => Answering(status), Outcome<DeliveryOutcome.TryAgain>());
        foreach (var status in (int[])[410, 415])
            yield return ($"status {status}", () => Answering(status), Outcome<DeliveryOutcome.GiveUp>());
        yield return ("too large, and the link too", () => Answering(413, 413), Outcome<DeliveryOutcome.GiveUp>());
        yield return ("broken off", BreakingOff, Outcome<DeliveryOutcome.TryAgain>());
        yield return ("nobody listens", () => At("http://127.0.0.1:1/hook?key=query-key"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("no TLS there", () => At(_receiver.Url.Replace("http:", "https:", StringComparison.Ordinal)),
            Outcome<DeliveryOutcome.TryAgain>());
    }

    protected override JsonObject Hang(out Task underWay)
    {
        var arrived = new TaskCompletionSource();
        underWay = arrived.Task;
        _receiver.Handles(async context =>
        {
            arrived.SetResult();
            await Receiver.GoneAsync(context);
        });
        return Values();
    }

    protected override JsonObject LoseAnswer()
    {
        _receiver.AnswersWith(context => context.Abort());
        return Values();
    }

    // A webhook is told the name; it makes no place of it here.
    private protected override void AssertInsidePrefix(string name, Delivery delivery) => Assert.NotEmpty(name);

    private JsonObject Answering(params int[] statuses)
    {
        foreach (var status in statuses)
        {
            _receiver.AnswersWith(context =>
            {
                context.Response.StatusCode = status;
                // What breaks on a connection that was used before is sent again at once.
                context.Response.Headers.Connection = "close";
            });
        }

        return Values();
    }

    private JsonObject BreakingOff()
    {
        _receiver.AnswersWith(context => context.Abort());
        return Values();
    }

    private JsonObject At(string url)
    {
        var values = Values();
        values["url"] = url;
        return values;
    }
}
