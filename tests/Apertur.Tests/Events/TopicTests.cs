using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Events;
using Apertur.Tests.Support;

namespace Apertur.Tests.Events;

/// <summary>Names of events: those there are, their aliases, patterns, and what is no name.</summary>
public sealed class TopicTests
{
    [Theory]
    [InlineData("project.billing.plan_changed", true)]
    [InlineData("*", true)]
    [InlineData("a", true)]
    [InlineData("project.*.failed", true)]
    [InlineData("a.b.c.d.e.f", true)]
    [InlineData("a.b.c.d.e.f.g", false)]
    [InlineData("", false)]
    [InlineData("a..b", false)]
    [InlineData("a.", false)]
    [InlineData("Project.upload", false)]
    [InlineData("project.up*", false)]
    [InlineData("project upload", false)]
    public void Topics_are_words_with_dots(string text, bool isTopic) => Assert.Equal(isTopic, Topics.IsWellFormed(text));

    [Theory]
    [InlineData("image.uploaded", Topics.UploadStarted, "image.uploaded")]
    [InlineData("upload.started", Topics.UploadStarted, "upload.started")]
    [InlineData("image.delivered", Topics.UploadCompleted, "image.delivered")]
    [InlineData("upload.failed", Topics.UploadFailed, "upload.failed")]
    [InlineData("session.created", Topics.SessionCreated, "session.created")]
    [InlineData("project.upload.image.uploaded", Topics.UploadStarted, "project.upload.image.uploaded")]
    [InlineData("upload.completed", Topics.UploadCompleted, "upload.completed")]
    [InlineData("project.upload.image.delivered", Topics.UploadCompleted, "project.upload.image.delivered")]
    [InlineData("image.failed", Topics.UploadFailed, "image.failed")]
    [InlineData("session.expired", Topics.SessionExpired, "session.expired")]
    [InlineData("image.*", Topics.UploadStarted, "image.uploaded")]
    [InlineData("session.*", Topics.SessionCreated, "session.created")]
    [InlineData("*", Topics.UploadStarted, Topics.UploadStarted)]
    [InlineData("project.upload.*", Topics.UploadStarted, Topics.UploadStarted)]
    [InlineData("session.completed image.uploaded *", Topics.UploadStarted, "image.uploaded")]
    [InlineData("* image.uploaded", Topics.UploadStarted, Topics.UploadStarted)]
    [InlineData("session.completed", Topics.UploadStarted, null)]
    public void A_topic_is_spelled_as_the_first_pattern_that_chooses_it(string patterns, string topic, string? spelling) =>
        Assert.Equal(spelling, Topics.SpellingFor(patterns.Split(' '), topic));

    [Theory, AllDatabases]
    public async Task Who_asks_by_an_alias_is_told_by_it_and_once(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(receiver, "image.uploaded", "project.upload.started", "session.completed");
        var session = await app.Client.CreateSessionAsync();

        var upload = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        var uploaded = await receiver.NextAsync();
        await app.PassAsync(TimeSpan.FromSeconds(1));
        await app.Client.PostAsync($"upload-sessions/{session}/complete");
        await app.PassAsync(TimeSpan.FromSeconds(1));
        var completed = await receiver.NextAsync();

        Assert.Equal(("image.uploaded", "image.uploaded", upload), ((string)uploaded.Json()["event"]!, (string)uploaded.Json()["topic"]!, (string)uploaded.Json()["data"]!["id"]!));
        Assert.Equal(("session.completed", "session.completed"), ((string)completed.Json()["event"]!, (string)completed.Json()["topic"]!));
        Assert.Equal(completed.HmacOf(webhook), completed["X-Apertur-Signature"]);
        await app.NewestBecomesAsync(webhook, "sent");
        var history = (await app.HistoryAsync(webhook))["deliveries"]!.AsArray().Select(row => (string)row!["topic"]!);
        Assert.Equal(["session.completed", "image.uploaded"], history);
    }

    [Theory, AllDatabases]
    public async Task A_topic_that_nothing_raises_is_taken_and_told(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var request = new JsonObject { ["url"] = "https://example.com/", ["topics"] = new JsonArray("project.upload.*", "project.billing.plan_changed") };

        var made = (await app.Client.PostAsync(app.WebhooksPath(), request)).Expect(HttpStatusCode.Created).Json;
        var changed = await app.ChangeWebhookAsync(made, new JsonObject { ["events"] = new JsonArray("weather.rain") });
        var known = await app.ChangeWebhookAsync(made, new JsonObject { ["events"] = new JsonArray("upload.completed") });
        var malformed = await app.Client.SendAsync(
            HttpMethod.Patch, $"{app.WebhooksPath()}/{made["id"]}", new JsonObject { ["topics"] = new JsonArray("Not A Topic") });

        Assert.Equal(["project.upload.*", "project.billing.plan_changed"], made["topics"]!.AsArray().Select(topic => (string)topic!));
        Assert.Contains("'project.billing.plan_changed'", (string)Assert.Single(made["warnings"]!.AsArray())!, StringComparison.Ordinal);
        Assert.Contains("'weather.rain'", (string)Assert.Single(changed["warnings"]!.AsArray())!, StringComparison.Ordinal);
        Assert.Null(known["warnings"]);
        malformed.Expect(HttpStatusCode.BadRequest);
    }
}
