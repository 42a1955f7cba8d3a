using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>What <c>POST …/destinations/{id}/test</c> promises whatever the destination does.</summary>
public sealed class TestCallTests
{
    [Theory]
    [AllDatabases("webhook")]
    [AllDatabases("odoo")]
    [AllDatabases("s3")]
    public async Task Test_of_a_destination_that_never_answers_is_over_within_fifteen_seconds(DatabaseKind database, string type)
    {
        await using var receiver = await Receiver.StartAsync();
        var come = new TaskCompletionSource();
        receiver.Otherwise = context =>
        {
            come.TrySetResult();
            return Receiver.GoneAsync(context);
        };
        await using var app = await AperturApp.StartAsync(database);
        var address = type == "s3" ? "endpoint" : "url";
        var id = await app.Client.CreateDestinationAsync(type, new JsonObject
        {
            [address] = receiver.Url,
            ["bucket"] = "photos",
            ["region"] = "us-east-1",
            ["accessKeyId"] = "id",
            ["secretAccessKey"] = "secret",
            ["secret"] = "secret",
        });

        var test = app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{id}/test");
        await Eventually.Arrives(come.Task);
        app.Clock.Advance(TimeSpan.FromSeconds(15));

        // Nor does the clock move for what the type still takes away.
        var answer = (await Eventually.Arrives(test)).Expect(HttpStatusCode.OK).Json;
        Assert.False((bool)answer["success"]!);
        Assert.Contains("did not answer", (string)answer["error"]!, StringComparison.Ordinal);
    }
}
