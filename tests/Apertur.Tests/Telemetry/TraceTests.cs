using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Telemetry;

/// <summary>What a collector gets by OTLP.</summary>
public sealed class TraceTests
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// <summary>The node that took the photo in is killed before it could deliver it; the other one does, a retry later.</summary>
    [Fact]
    public async Task One_trace_leads_from_the_upload_at_one_node_to_its_delivery_by_another()
    {
        await using var collector = await Receiver.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        using var data = new TempFolder();
        await File.WriteAllTextAsync(data.File("apertur.json"), new JsonObject
        {
            ["Database"] = new JsonObject { ["Provider"] = "PostgreSql", ["ConnectionString"] = database.ConnectionString, ["AllowDataLoss"] = true },
            ["Delivery"] = new JsonObject { ["RetrySeconds"] = string.Join(',', Enumerable.Repeat("1", 100)) },
        }.ToJsonString(), TestContext.Current.CancellationToken);
        var installation = await AperturProcess.InitAsync(data.Path);
        string[] launcher =
        [
            "env", $"OTEL_EXPORTER_OTLP_ENDPOINT={new Uri(collector.Url).GetLeftPart(UriPartial.Authority)}",
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=100",
        ];
        await using var first = await AperturProcess.ServeAsync(data.Path, installation, launcher);
        var webhook = await first.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url + "/secret-of-the-webhook" });
        var session = await first.Client.CreateSessionAsync(webhook);
        var photo = await first.Client.PostImageAsync(
            session, Photos.Jpeg(), headers: ("traceparent", $"00-{TraceId}-00f067aa0ba902b7-01"));
        await Eventually.True(() => Spans(collector, "/images").Any());
        await Eventually.True(() => Spans(collector, "delivery.attempt").Any());
        // Between two attempts: one that is under way belongs to its node for longer than this test waits.
        await SwitchAsync(first.Client, webhook, on: false);
        await Eventually.Becomes(
            async () => (string)(await first.Client.GetAsync($"uploads/{photo.Json["id"]}/deliveries")).Json[0]!["status"]!, status => status == "retrying");
        await first.KillAsync();
        var before = Spans(collector, "delivery.attempt").Count();

        await using var second = await AperturProcess.ServeAsync(data.Path, installation, launcher);
        receiver.Otherwise = null;
        await SwitchAsync(second.Client, webhook, on: true);
        await second.Client.UploadBecomesAsync((string)photo.Json["id"]!, "delivered");

        await Eventually.True(() => Spans(collector, "Accepted").Any());
        Assert.True(Spans(collector, "delivery.attempt").Count() > before);
        foreach (var tag in new[] { "delivery.id", "image.id", "destination.id", "destination.type", "delivery.attempt", "delivery.outcome" })
            Assert.True(Spans(collector, $"apertur.{tag}").Any(), tag);
        Assert.All(collector.Requests, request =>
        {
            Assert.False(Holds(request, session), "A collector gets no link.");
            Assert.False(Holds(request, "secret-of-the-webhook"), "A collector gets no address of a destination.");
        });
    }

    /// <summary>Exports of spans that hold this text and belong to the trace. In Protocol Buffers text and ids stand as they are.</summary>
    private static async Task SwitchAsync(AperturClient client, string webhook, bool on) => (await client.SendAsync(
        HttpMethod.Patch, $"projects/{client.ProjectId}/destinations/{webhook}", new JsonObject { ["isActive"] = on })).Expect(HttpStatusCode.OK);

    private static IEnumerable<Received> Spans(Receiver collector, string text) =>
        collector.Requests.Where(request => request.Path == "/v1/traces" && Holds(request, text)
            && request.Body.AsSpan().IndexOf(Convert.FromHexString(TraceId)) >= 0);

    private static bool Holds(Received request, string text) => request.Body.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
}
