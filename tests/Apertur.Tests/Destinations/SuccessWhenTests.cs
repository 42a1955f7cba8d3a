using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>Receivers that answer 200 whatever happened.</summary>
public sealed class SuccessWhenTests
{
    private const string Ok = """{ "pointer": "/status", "equals": "ok" }""";

    [Theory]
    [InlineData(Ok, """{"status":"ok"}""", true)]
    [InlineData(Ok, """{"status":"OK"}""", false)]
    [InlineData(Ok, """{"state":"ok"}""", false)]
    [InlineData(Ok, """["ok"]""", false)]
    [InlineData(Ok, "ok", false)]
    [InlineData(Ok, "", false)]
    [InlineData(Ok, """{"status":"ok","status":"no"}""", false)]
    [InlineData(Ok, """{"status":"no","status":"ok"}""", false)]
    [InlineData("""{ "pointer": "", "equals": "ok" }""", "\"ok\"", true)]
    [InlineData("""{ "pointer": "/a/0/b", "equals": true }""", """{"a":[{"b":true}]}""", true)]
    [InlineData("""{ "pointer": "/a/00/b", "equals": true }""", """{"a":[{"b":true}]}""", false)]
    [InlineData("""{ "pointer": "/a/1", "equals": true }""", """{"a":[true]}""", false)]
    [InlineData("""{ "pointer": "/a/-", "equals": true }""", """{"a":[true]}""", false)]
    [InlineData("""{ "pointer": "/a~1b/m~0n", "equals": 1 }""", """{"a/b":{"m~n":1}}""", true)]
    [InlineData("""{ "pointer": "/~01", "equals": 1 }""", """{"~1":1}""", true)]
    [InlineData("""{ "pointer": "/", "equals": 1 }""", """{"":1}""", true)]
    [InlineData("""{ "pointer": "/error", "equals": null }""", """{"error":null}""", true)]
    [InlineData("""{ "pointer": "/error", "equals": null }""", "{}", false)]
    [InlineData("""{ "pointer": "/code", "equals": 0 }""", """{"code":"0"}""", false)]
    public void A_pointer_finds_its_value(string rule, string answer, bool isMet) =>
        Assert.Equal(isMet, SuccessRule.Parse(rule)!.IsMetBy(Encoding.UTF8.GetBytes(answer)));

    [Theory]
    [InlineData("""{ "pointer": "status", "equals": "ok" }""")]
    [InlineData("""{ "pointer": "/a~2", "equals": "ok" }""")]
    [InlineData("""{ "pointer": "/a~", "equals": "ok" }""")]
    [InlineData("""{ "pointer": 1, "equals": "ok" }""")]
    [InlineData("""{ "pointer": "/a" }""")]
    [InlineData("""{ "pointer": "/a", "equal": "ok" }""")]
    [InlineData("""{ "path": "/a", "equals": "ok" }""")]
    [InlineData("""{ "pointer": {}, "equals": "ok" }""")]
    [InlineData("""{ "pointer": "/a", "equals": {} }""")]
    [InlineData("""{ "pointer": "/a", "equals": [] }""")]
    [InlineData("""{ "pointer": "/a", "equals": 1, "more": 1 }""")]
    public void Rules_that_cannot_be_applied_are_refused(string rule) => Assert.NotNull(SuccessRule.Problem(rule));

    [Fact]
    public void Pointers_have_a_longest()
    {
        Assert.Null(SuccessRule.Problem(Of(1024)));
        Assert.NotNull(SuccessRule.Problem(Of(1025)));

        static string Of(int length) => new JsonObject { ["pointer"] = "/" + new string('p', length - 1), ["equals"] = "ok" }.ToJsonString();
    }

    [Fact]
    public async Task A_2xx_without_the_words_is_tried_again_with_the_answer_as_the_reason()
    {
        await using var receiver = await Receiver.StartAsync();
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var webhook = new WebhookDestination(http, TimeProvider.System);
        var config = Sample.Config(webhook, new JsonObject
        {
            ["url"] = receiver.Url,
            ["secret"] = "hush-hush",
            ["headers"] = new JsonObject { ["Authorization"] = "Bearer t0ken" },
            ["successWhen"] = JsonNode.Parse(Ok),
        });

        Answers("""{"status":"ok"}""");
        var accepted = await DeliverAsync();
        Answers("""{"status":"error","message":"No such claim. You sent Bearer t0ken and hush-hush."}""" + new string(' ', 100) + new string('x', 500));
        var refused = Assert.IsType<DeliveryOutcome.TryAgain>(await DeliverAsync());
        Answers("""{"status":"ok"}""" + new string(' ', 70_000));
        var tooLong = await DeliverAsync();
        Answers("One\nline 😀.");
        var oneLine = Assert.IsType<DeliveryOutcome.TryAgain>(await DeliverAsync());
        config = Sample.Config(webhook, new JsonObject
        {
            ["url"] = receiver.Url,
            ["headers"] = new JsonObject { ["X-Empty"] = "" },
            ["successWhen"] = JsonNode.Parse(Ok),
        });
        Answers($"Signed with {Sample.Secret}.");
        var projects = Assert.IsType<DeliveryOutcome.TryAgain>(await DeliverAsync());
        receiver.Answers(410);
        var gone = await DeliverAsync();

        Assert.IsType<DeliveryOutcome.Accepted>(accepted);
        Assert.Equal(200, refused.Status);
        Assert.Contains("No such claim.", refused.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("t0ken", refused.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", refused.Reason, StringComparison.Ordinal);
        Assert.InRange(refused.Reason.Length, 200, 260);
        Assert.IsType<DeliveryOutcome.TryAgain>(tooLong);
        Assert.EndsWith(": One line   .", oneLine.Reason, StringComparison.Ordinal);
        Assert.EndsWith(": Signed with ********.", projects.Reason, StringComparison.Ordinal);
        Assert.IsType<DeliveryOutcome.GiveUp>(gone);

        Task<DeliveryOutcome> DeliverAsync() => webhook.DeliverAsync(Sample.Delivery(config), TestContext.Current.CancellationToken);

        void Answers(string body) => receiver.Handles(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(body));
        });
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_tried_again()
    {
        await using var receiver = RawReceiver.Start(async (connection, _) =>
        {
            await connection.ReadHeadersAsync();
            await connection.ReadBodyAsync();
            await connection.SendAsync("HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{");
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var webhook = new WebhookDestination(http, TimeProvider.System);
        var config = Sample.Config(webhook, new JsonObject { ["url"] = receiver.Url, ["successWhen"] = JsonNode.Parse(Ok) });

        var outcome = await webhook.DeliverAsync(Sample.Delivery(config), TestContext.Current.CancellationToken);

        Assert.Equal(("The answer broke off.", 202), (Assert.IsType<DeliveryOutcome.TryAgain>(outcome).Reason, outcome.Status ?? 0));
    }
}
