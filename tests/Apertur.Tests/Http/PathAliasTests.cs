using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Http;

/// <summary>Addresses that older clients and documentation pages use.</summary>
public sealed class PathAliasTests
{
    [Theory, AllDatabases]
    public async Task Older_addresses_do_what_those_they_stand_for_do(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);

        var session = (string)(await app.Client.PostAsync("sessions", new JsonObject { ["long_polling"] = true })).Expect(HttpStatusCode.Created).Json["id"]!;
        using var form = new MultipartFormDataContent();
        using var file = new ByteArrayContent(Photos.Jpeg());
        form.Add(file, "file", "a.jpg");
        var image = (string)(await phone.SendAsync(HttpMethod.Post, $"sessions/{session}/upload", form)).Expect(HttpStatusCode.Created).Json["id"]!;

        Assert.Equal((await app.Client.GetAsync($"upload-sessions/{session}/poll")).Text, (await app.Client.GetAsync($"sessions/{session}/poll")).Text);
        Assert.Equal(Photos.Jpeg(), (await app.Client.GetAsync($"images/{image}/download")).Expect(HttpStatusCode.OK).Bytes);
        Assert.Equal("acknowledged", (string)(await app.Client.PostAsync($"images/{image}/ack")).Expect(HttpStatusCode.OK).Json["status"]!);
        Assert.Empty((await app.Client.GetAsync($"sessions/{session}/poll")).Json["images"]!.AsArray());
        Assert.Equal((await phone.GetAsync("encryption/server-key")).Text, (await phone.GetAsync("encryption/key")).Text);
        await using var events = await EventReader.OpenAsync(app, $"/api/v1/sessions/{session}/events");
        Assert.Equal("connected", (await events.NextAsync()).Name);
    }

    [Theory, AllDatabases]
    public async Task Every_alias_stands_for_a_route_that_is_described(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();
        var described = routes.Where(route => route.Metadata.GetMetadata<AliasOf>() is null).Select(route => "/" + route.RoutePattern.RawText!.Trim('/')).ToHashSet();

        Assert.Subset(described, routes.Select(route => route.Metadata.GetMetadata<AliasOf>()?.Path).OfType<string>().ToHashSet());
    }
}
