using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using MimeKit;

namespace Apertur.Tests.Sharing;

/// <summary>Sending a session's link by e-mail and SMS, and the short link that is sent.</summary>
public sealed class SharingTests
{
    [Theory, AllDatabases]
    public async Task An_email_holds_a_short_link_that_leads_to_the_page(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });

        var shared = (await ShareAsync(app, session, new() { ["channel"] = "email", ["recipient"] = "anna@example.com", ["note"] = "Bitte bis Freitag." }))
            .Expect(HttpStatusCode.OK).Json;
        var url = (string)shared["short_url"]!;
        using var message = await MimeMessage.LoadAsync(
            Assert.Single(Directory.GetFiles(Path.Combine(app.DataFolder, "mail"))), TestContext.Current.CancellationToken);
        var opened = await app.ClientOf(null).GetAsync(new Uri(url).AbsolutePath);

        Assert.Equal((true, "email", "anna@example.com"), ((bool)shared["ok"]!, (string)shared["channel"]!, (string)shared["recipient"]!));
        Assert.Matches("/s/[A-Za-z0-9]{8}$", url);
        Assert.Equal("anna@example.com", ((MailboxAddress)Assert.Single(message.To)).Address);
        Assert.Contains("Bitte bis Freitag.", message.TextBody, StringComparison.Ordinal);
        Assert.Contains(url, message.TextBody, StringComparison.Ordinal);
        Assert.Equal($"{app.Url}/u/{session}", opened.Expect(HttpStatusCode.Redirect).Headers.Location!.AbsoluteUri);
        Assert.Equal(("no-store", "no-referrer"), (opened["Cache-Control"], opened["Referrer-Policy"]));
        Assert.Equal(url, (string)(await ShareAsync(app, session, new() { ["channel"] = "email", ["recipient"] = "b@example.com" })).Json["short_url"]!);
    }

    [Theory, AllDatabases]
    public async Task A_short_link_ends_with_its_session_and_when_it_is_revoked(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        var other = await app.Client.CreateSessionAsync();
        var phone = app.ClientOf(null);
        var first = await LinkAsync(app, session);
        var last = await LinkAsync(app, other);

        (await app.Client.SendAsync(HttpMethod.Delete, $"upload-sessions/{session}/share")).Expect(HttpStatusCode.NoContent);
        (await phone.GetAsync(first)).Expect(HttpStatusCode.NotFound);
        var second = await LinkAsync(app, session);
        (await phone.GetAsync(second)).Expect(HttpStatusCode.Redirect);
        await app.Client.PostAsync($"upload-sessions/{other}/complete");
        (await phone.GetAsync(last)).Expect(HttpStatusCode.Conflict);
        app.Clock.Jump(TimeSpan.FromHours(2));
        var page = await phone.SendAsync(HttpMethod.Get, second, null, ("Accept", "text/html"));

        Assert.NotEqual(first, second);
        page.Expect(HttpStatusCode.Gone);
        Assert.Equal("text/html", page.ContentHeaders.ContentType!.MediaType);
        (await ShareAsync(app, session, new() { ["channel"] = "email", ["recipient"] = "b@example.com" })).Expect(HttpStatusCode.Gone);
    }

    [Theory, AllDatabases]
    public async Task Guessing_short_links_is_held_off(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var link = await LinkAsync(app, await app.Client.CreateSessionAsync());
        var phone = app.ClientOf(null);

        for (var i = 0; i < 20; i++)
            (await phone.GetAsync($"/s/{i:D8}")).Expect(HttpStatusCode.NotFound);

        (await phone.GetAsync(link)).Expect(HttpStatusCode.TooManyRequests);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        (await phone.GetAsync(link)).Expect(HttpStatusCode.Redirect);
    }

    [Theory, AllDatabases]
    public async Task An_sms_takes_consent_and_goes_by_the_gateway(DatabaseKind database)
    {
        await using var gateway = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?>
        {
            ["Sharing:SmsUrl"] = gateway.Url + "?from=apertur",
            ["Sharing:SmsAuthorization"] = "Bearer gate",
        });
        var session = await app.Client.CreateSessionAsync();
        JsonObject Request(params (string Name, JsonNode Value)[] more)
        {
            var request = new JsonObject { ["channel"] = "sms", ["recipient"] = "+41 79 123-45-67", ["sms_consent"] = true };
            foreach (var (name, value) in more)
                request[name] = value;
            return request;
        }

        (await ShareAsync(app, session, Request(("sms_consent", false)))).Expect(HttpStatusCode.BadRequest);
        (await ShareAsync(app, session, Request(("recipient", "0791234567")))).Expect(HttpStatusCode.BadRequest);
        (await ShareAsync(app, session, Request(("note", "x")))).Expect(HttpStatusCode.BadRequest);
        (await ShareAsync(app, session, Request(("channel", "email")))).Expect(HttpStatusCode.BadRequest);
        var shared = (await ShareAsync(app, session, Request())).Expect(HttpStatusCode.OK).Json;
        var sent = await gateway.NextAsync(TestContext.Current.CancellationToken);
        gateway.Answers(500);
        var failed = await ShareAsync(app, session, Request());

        Assert.Equal("+41791234567", (string)shared["recipient"]!);
        var body = JsonNode.Parse(sent.Body)!;
        Assert.Equal("+41791234567", (string)body["to"]!);
        Assert.Equal($"Claims: {shared["short_url"]}", (string)body["text"]!);
        Assert.Equal("Bearer gate", sent["Authorization"]);
        failed.Expect(HttpStatusCode.BadGateway);
    }

    [Theory, AllDatabases]
    public async Task A_session_is_shared_at_most_twenty_times_an_hour(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var request = new JsonObject { ["channel"] = "email", ["recipient"] = "a@example.com" };

        for (var i = 0; i < 20; i++)
            (await ShareAsync(app, session, request)).Expect(HttpStatusCode.OK);
        var refused = await ShareAsync(app, session, request);
        await app.RestartAsync();
        var still = await ShareAsync(app, session, request);
        app.Clock.Jump(TimeSpan.FromHours(1));

        Assert.Equal(3600, (int)refused.Expect(HttpStatusCode.TooManyRequests).Json["retryAfter"]!);
        still.Expect(HttpStatusCode.TooManyRequests);
        (await ShareAsync(app, session, request)).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("fax", "a@example.com")]
    [InlineData("email", "nobody")]
    [InlineData("email", "a@example.com, b@example.com")]
    [InlineData("email", "a@example.com\r\nBcc: c@example.com")]
    public async Task Wrong_channels_and_recipients_are_refused(string channel, string recipient)
    {
        await using var app = await StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        (await ShareAsync(app, session, new() { ["channel"] = channel, ["recipient"] = recipient })).Expect(HttpStatusCode.BadRequest);
        (await ShareAsync(app, session, new() { ["channel"] = "email", ["recipient"] = "a@example.com", ["note"] = new string('x', 501) })).Expect(HttpStatusCode.BadRequest);
        Assert.False(Directory.Exists(Path.Combine(app.DataFolder, "mail")));
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database) => AperturApp.StartAsync(
        database, new Dictionary<string, string?> { ["Sharing:EmailTransport"] = "Folder", ["Sharing:EmailFrom"] = "Photos <photos@example.com>" });

    private static Task<Answer> ShareAsync(AperturApp app, string session, JsonObject request) =>
        app.Client.PostAsync($"upload-sessions/{session}/share", request.DeepClone());

    private static async Task<string> LinkAsync(AperturApp app, string session)
    {
        var shared = (await ShareAsync(app, session, new() { ["channel"] = "email", ["recipient"] = "a@example.com" })).Expect(HttpStatusCode.OK).Json;
        return new Uri((string)shared["short_url"]!).AbsolutePath;
    }
}
