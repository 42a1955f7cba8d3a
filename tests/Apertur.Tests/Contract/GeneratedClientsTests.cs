using System.Text.Json.Nodes;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Contract;

/// <summary>What tools make of the API document. They come from <c>tests/clients</c>, by <c>npm ci</c>.</summary>
public sealed class GeneratedClientsTests
{
    private static readonly string _document = Path.Combine(RepositoryFiles.Root, "docs", "openapi.json");

    [Theory]
    [InlineData("openapi-typescript")]
    [InlineData("oazapfts")]
    public async Task Generated_client_compiles_and_makes_a_destination_a_session_and_an_upload(string generator)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await using var receiver = await Receiver.StartAsync();
        using var folder = new TempFolder();

        var made = await NodeScript.RunAsync("generated.mjs", new JsonObject
        {
            ["generator"] = generator,
            ["document"] = _document,
            ["folder"] = folder.Path,
            ["arguments"] = new JsonArray(app.Url, app.LiveKey, app.ProjectId.ToString(), receiver.Url, Convert.ToBase64String(Photos.Png())),
        });

        Assert.True((int)made["width"]! > 0);
        var session = (await app.Client.GetAsync($"upload-sessions/{made["session"]}")).Json;
        Assert.Equal(4711, (int)session["metadata"]!["claim"]!);
        await Eventually.True(() => receiver.Requests.Count == 1);
    }

    [Fact]
    public async Task Document_has_no_problem_that_a_linter_finds() =>
        Assert.Empty((await NodeScript.RunAsync("lint.mjs", new JsonObject { ["document"] = _document })).AsArray());
}
