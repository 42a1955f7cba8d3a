using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Destinations;

/// <summary>A type given to the server from outside, as docs/add-a-destination.md has it: it exists in this file and nowhere else.</summary>
public sealed class ExternalTypeTests
{
    private const string Word = "test_shelf";

    [Theory, AllDatabases]
    public async Task Type_that_exists_only_in_the_tests_works_through_the_public_api(DatabaseKind database)
    {
        var shelf = new ShelfDestination();
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IDestinationType>(shelf));

        // It is on offer, with a form.
        var offered = (await app.Client.GetAsync("destination-types")).Json.AsArray().Single(type => (string)type!["type"]! == Word)!;
        Assert.Equal("A shelf", (string)offered["label"]!);
        Assert.False((bool)offered["oAuth"]!);
        var fields = offered["fields"]!.AsArray();
        Assert.Equal(["name", "code", "copies", "order", "rendition"], fields.Select(field => (string)field!["name"]!));
        Assert.Equal(["text", "text", "number", "text", "group"], fields.Select(field => (string)field!["kind"]!));
        Assert.True((bool)fields[0]!["required"]!);
        Assert.True((bool)fields[1]!["secret"]!);
        Assert.Equal(1, (int)fields[2]!["default"]!);
        Assert.Equal(9, (int)fields[2]!["max"]!);
        Assert.Equal(["first", "last"], fields[3]!["allowed"]!.AsArray().Select(value => (string)value!));

        // Its fields are checked, each with a message of its own.
        var refused = await app.Client.PostAsync($"projects/{app.ProjectId}/destinations", new JsonObject
        {
            ["type"] = Word,
            ["config"] = new JsonObject { ["copies"] = 10, ["order"] = "middle" },
        });
        Assert.Equal(
            ["config.name", "config.code", "config.copies", "config.order"],
            refused.Expect(HttpStatusCode.BadRequest).Json["errors"]!.AsArray().Select(error => (string)error!["field"]!));

        // Its secret is encrypted, masked, and kept when the mask is sent back.
        var id = await app.Client.CreateDestinationAsync(Word, new JsonObject { ["name"] = "Attic", ["code"] = "planted-code" });
        var path = $"projects/{app.ProjectId}/destinations/{id}";
        var config = (await app.Client.GetAsync(path)).Json["config"]!;
        Assert.Equal(DestinationConfig.Mask, (string)config["code"]!);
        Assert.DoesNotContain("planted", (await app.DestinationAsync(id)).Config, StringComparison.Ordinal);
        config["name"] = "Cellar";
        (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["config"] = config.DeepClone() })).Expect(HttpStatusCode.OK);

        // It is tested, delivered to, and counted.
        Assert.True((bool)(await app.Client.PostAsync(path + "/test")).Json["success"]!);
        var photo = Photos.Jpeg(50_000, seed: 9);
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), photo, "IMG.jpg"))["id"]!;
        var row = await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Equal($$"""[{"type":"{{Word}}","count":1}]""", row["destinationsBreakdown"]!.ToJsonString());
        var (place, sha256) = Assert.Single(shelf.Photos);
        Assert.Equal("planted-code", shelf.Code);
        Assert.Matches("^Cellar/[0-9a-f-]{36}-IMG.jpg$", place);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(photo)), sha256);
        Assert.Equal(place, (await app.DeliveriesAsync(upload)).Single().Reference);

        // A broken one is parked until its configuration is saved.
        shelf.Breaks = true;
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), photo);
        await Eventually.Becomes(() => app.DestinationAsync(id), destination => destination.ParkedReason == "The shelf has fallen.", "it is parked");
        shelf.Breaks = false;
        await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["config"] = new JsonObject() });
        await Eventually.True(() => shelf.Photos.Count == 2);
    }

    [Fact]
    public void No_other_file_knows_the_type() =>
        Assert.Equal(
            ["tests/Apertur.Tests/Destinations/ExternalTypeTests.cs"],
            RepositoryFiles.Texts.Where(path => RepositoryFiles.Read(path).Contains(Word, StringComparison.Ordinal)));

    private sealed class ShelfDestination : IDestinationType
    {
        public ConcurrentDictionary<string, string> Photos { get; } = [];

        public bool Breaks { get; set; }

        public string? Code { get; private set; }

        public string Type => Word;

        public string Label => "A shelf";

        public IReadOnlyList<ConfigField> Fields { get; } =
        [
            new("name", "Name") { Required = true },
            new("code", "Code") { Required = true, Secret = true },
            new("copies", "Copies", ConfigFieldKind.Number) { Default = 1, Range = (1, 9) },
            new("order", "Order") { Default = "first", Allowed = ["first", "last"] },
        ];

        public async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken)
        {
            if (Breaks)
                return new DeliveryOutcome.Broken("The shelf has fallen.");

            await using var photo = delivery.OpenRead();
            Code = delivery.Config.Required("code");
            var place = delivery.Config.Required("name") + "/" + KeyTemplate.Render("{id}-{filename}", delivery);
            Photos[place] = Convert.ToHexStringLower(await SHA256.HashDataAsync(photo, cancellationToken));
            return new DeliveryOutcome.Accepted(place);
        }

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
            Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.Accepted());
    }
}
