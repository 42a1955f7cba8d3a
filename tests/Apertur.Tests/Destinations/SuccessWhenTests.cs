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
    [InlineData("""{ "pointer": "/a", "equals": {} }""")]
    [InlineData("""{ "pointer": "/a", "equals": 1, "more": 1 }""")]
    public void Rules_that_cannot_be_applied_are_refused(string rule) => Assert.NotNull(SuccessRule.Problem(rule));

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
        Answers("""{"status":"ok","rest":" """ + new string('x', 70_000) + "\"}");
        var tooLong = await DeliverAsync();
        receiver.Answers(410);
        var gone = await DeliverAsync();

        Assert.IsType<DeliveryOutcome.Accepted>(accepted);
        Assert.Equal(200, refused.Status);
        Assert.Contains("No such claim.", refused.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("t0ken", refused.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", refused.Reason, StringComparison.Ordinal);
        Assert.InRange(refused.Reason.Length, 200, 260);
        Assert.IsType<DeliveryOutcome.TryAgain>(tooLong);
        Assert.IsType<DeliveryOutcome.GiveUp>(gone);

        Task<DeliveryOutcome> DeliverAsync() => webhook.DeliverAsync(Sample.Delivery(config), TestContext.Current.CancellationToken);

        void Answers(string body) => receiver.Handles(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(body));
        });
    }
}
