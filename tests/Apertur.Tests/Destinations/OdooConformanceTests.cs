using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

public sealed class OdooConformanceTests : DestinationConformance
{
    private readonly ConcurrentDictionary<string, Func<Stream>> _images = new();
    private OdooPlugin _plugin = null!;
    private Receiver _links = null!;

    protected override IReadOnlyList<string> Secrets { get; } = [OdooPlugin.Secret, "query-key"];

    private protected override IDestinationType Create(OutboundHttp http) =>
        new WithImages(new OdooDestination(http, TimeProvider.System), _images, _links.Url);

    protected override async Task StartAsync()
    {
        _plugin = await OdooPlugin.StartAsync();
        // Where this server would be: it gives the bytes to whoever has the link.
        _links = await Receiver.StartAsync();
        _links.Otherwise = async context =>
        {
            await using var image = _images[context.Request.Query["id"].ToString()]();
            await image.CopyToAsync(context.Response.Body);
        };
    }

    protected override async Task StopAsync()
    {
        await _plugin.DisposeAsync();
        await _links.DisposeAsync();
    }

    protected override JsonObject Values() => new() { ["url"] = _plugin.Receiver.Url + "?key=query-key", ["secret"] = OdooPlugin.Secret };

    private protected override Task<IReadOnlyList<Arrived>> ArrivedAsync() => Task.FromResult<IReadOnlyList<Arrived>>(
        [.. _plugin.Attachments.Select(attachment => new Arrived(attachment.Name, attachment.Bytes, attachment.MimeType))]);

    private protected override IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals()
    {
        yield return ("another secret", () => With("secret", "not-the-secret"), Outcome<DeliveryOutcome.Broken>());
        foreach (var wraps in new[] { true, false })
        {
            yield return ("no record named", () => Saying(wraps, "ok", "No entity ref"), Outcome<DeliveryOutcome.GiveUp>());
            yield return ("record gone", () => Saying(wraps, "error", "Record not found"), Outcome<DeliveryOutcome.GiveUp>());
            yield return ("image not fetched", () => Saying(wraps, "error", "Image download failed"), Outcome<DeliveryOutcome.TryAgain>());
            yield return ("not JSON, it thinks", () => Saying(wraps, "error", "Invalid JSON"), Outcome<DeliveryOutcome.TryAgain>());
            yield return ("another word", () => Saying(wraps, "fine", null), Outcome<DeliveryOutcome.TryAgain>());
        }

        yield return ("an error of JSON-RPC", () => Answering(200, """{"jsonrpc":"2.0","id":null,"error":{"code":200}}"""), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("a page", () => Answering(200, "<html>"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("nothing", () => Answering(200, ""), Outcome<DeliveryOutcome.TryAgain>());
        foreach (var status in (int[])[302, 401, 403, 404, 429, 500, 503])
            yield return ($"status {status}", () => Answering(status, ""), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("nobody listens", () => With("url", "http://127.0.0.1:1/hook?key=query-key"), Outcome<DeliveryOutcome.TryAgain>());
    }

    [Fact]
    public async Task An_event_that_the_plugin_ignores_is_a_good_test_and_no_delivery()
    {
        var config = Config();
        Saying(true, "ok", "Event ignored");
        Assert.IsType<DeliveryOutcome.GiveUp>(await Type.DeliverAsync(Sample.Delivery(config), Cancellation));
        Saying(false, "ok", "Event ignored");
        Assert.IsType<DeliveryOutcome.Accepted>(await Type.TestAsync(config, Cancellation));
    }

    [Fact]
    public async Task A_bare_answer_counts_like_a_wrapped_one()
    {
        _plugin.Wraps = false;
        Assert.IsType<DeliveryOutcome.Accepted>(await Type.DeliverAsync(Sample.Delivery(Config()), Cancellation));
    }

    protected override JsonObject Hang(out Task underWay)
    {
        var arrived = new TaskCompletionSource();
        underWay = arrived.Task;
        _plugin.Receiver.Handles(async context =>
        {
            arrived.SetResult();
            await Receiver.GoneAsync(context);
        });
        return Values();
    }

    protected override JsonObject LoseAnswer()
    {
        _plugin.Receiver.Handles(_plugin.TakeAndAbortAsync);
        return Values();
    }

    // Odoo is told the name; no place is made of it here.
    private protected override void AssertInsidePrefix(string name, Delivery delivery) => Assert.NotEmpty(name);

    private JsonObject Saying(bool wraps, string status, string? message)
    {
        var said = new JsonObject { ["status"] = status };
        if (message is not null)
            said["message"] = message;
        return Answering(200, (wraps ? new JsonObject { ["jsonrpc"] = "2.0", ["id"] = null, ["result"] = said } : said).ToJsonString());
    }

    private JsonObject Answering(int status, string body)
    {
        _plugin.Receiver.Handles(async context =>
        {
            context.Response.StatusCode = status;
            await context.Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(body));
        });
        return Values();
    }

    private JsonObject With(string field, string value)
    {
        var values = Values();
        values[field] = value;
        return values;
    }

    /// <summary>Gives each delivery a link that works, and a tag that names a record.</summary>
    private sealed class WithImages(IDestinationType odoo, ConcurrentDictionary<string, Func<Stream>> images, string url) : IDestinationType
    {
        public string Type => odoo.Type;

        public string Label => odoo.Label;

        public IReadOnlyList<ConfigField> Fields => odoo.Fields;

        public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken)
        {
            images[delivery.ImageId.ToString()] = delivery.OpenRead;
            var linked = delivery with { Tags = ["odoo:res.partner:42"], DownloadUrl = () => new Uri($"{url}?id={delivery.ImageId}") };
            return odoo.DeliverAsync(linked, cancellationToken);
        }

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => odoo.TestAsync(config, cancellationToken);
    }
}
