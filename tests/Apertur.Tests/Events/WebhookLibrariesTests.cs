using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Events;

/// <summary>The libraries that receivers verify webhooks with accept what is sent, and nothing else.</summary>
public sealed class WebhookLibrariesTests
{
    [Fact]
    public async Task Libraries_of_svix_and_standard_webhooks_verify_events_and_photos()
    {
        await using var events = await Receiver.StartAsync();
        await using var images = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["signatureMethod"] = "svix" }, "project.upload.started");
        const string ImageSecret = "a secret for photos";
        var destination = await app.Client.CreateDestinationAsync(
            "webhook", new JsonObject { ["url"] = images.Url, ["secret"] = ImageSecret });
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(destination), Photos.Png(), "Küche.png");
        var told = await events.NextAsync();
        var image = await images.NextAsync();
        var eventKey = "whsec_" + Convert.ToBase64String(Convert.FromHexString((string)webhook["secret"]!));
        var imageKey = "whsec_" + Convert.ToBase64String(Encoding.UTF8.GetBytes(ImageSecret));

        var verdicts = await NodeScript.RunAsync("webhooks.mjs", new JsonObject
        {
            ["now"] = app.Clock.GetUtcNow().ToUnixTimeMilliseconds(),
            ["requests"] = new JsonArray(
                Describe("svix", eventKey, told, told.Body),
                Describe("standardwebhooks", imageKey, image, image.Body),
                Describe("svix", imageKey, image, image.Body),
                Describe("svix", imageKey, told, told.Body),
                Describe("svix", eventKey, told, [.. told.Body, (byte)' '])),
        });

        Assert.Equal(
            ["verified", "verified", "verified", "No matching signature found", "No matching signature found"],
            verdicts.AsArray().Select(verdict => (string)verdict!));
        Assert.DoesNotContain(' ', told["svix-signature"]!);
    }

    private static JsonObject Describe(string library, string secret, Received request, byte[] body) => new()
    {
        ["library"] = library,
        ["secret"] = secret,
        ["headers"] = new JsonObject(request.Headers.Select(header => KeyValuePair.Create(header.Key, (JsonNode?)header.Value))),
        ["body"] = Convert.ToBase64String(body),
    };
}
