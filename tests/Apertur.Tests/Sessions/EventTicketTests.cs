using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Sessions;

/// <summary>Event streams of protected sessions for browsers, whose EventSource can send no header.</summary>
public sealed class EventTicketTests
{
    [Theory, AllDatabases]
    public async Task A_ticket_opens_one_stream_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var other = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var phone = app.ClientOf(null);

        var ticket = await TicketAsync(phone, session);
        (await phone.GetAsync($"upload/{other}/events?ticket={ticket}")).Expect(HttpStatusCode.Unauthorized);
        await using var events = await EventReader.OpenAsync(app, $"/api/v1/upload/{session}/events?ticket={ticket}");
        Assert.Equal("connected", (await events.NextAsync()).Name);

        (await phone.GetAsync($"upload/{session}/events?ticket={ticket}")).Expect(HttpStatusCode.Unauthorized);
        (await phone.GetAsync($"upload/{session}/events?ticket=made-up")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task A_ticket_is_good_for_a_minute(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var phone = app.ClientOf(null);

        var ticket = await TicketAsync(phone, session);
        app.Clock.Jump(EventTicket.Lifetime);

        (await phone.GetAsync($"upload/{session}/events?ticket={ticket}")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task A_ticket_takes_the_password(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var phone = app.ClientOf(null);

        (await phone.PostAsync($"upload/{session}/event-ticket")).Expect(HttpStatusCode.Unauthorized);
        (await phone.PostAsync($"upload/{session}/event-ticket", new { password = "wrong" })).Expect(HttpStatusCode.Unauthorized);
        (await phone.SendAsync(HttpMethod.Post, $"upload/{session}/event-ticket", null, (SessionPasswords.Header, "open sesame"))).Expect(HttpStatusCode.OK);
    }

    private static async Task<string> TicketAsync(AperturClient client, string session) =>
        (string)(await client.PostAsync($"upload/{session}/event-ticket", new { password = "open sesame" })).Expect(HttpStatusCode.OK).Json["ticket"]!;
}
