using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Projects;

public sealed class ProjectsTests
{
    [Theory, AllDatabases]
    public async Task Person_makes_reads_and_changes_a_project(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        using var rsa = RSA.Create(2048);

        var made = (await owner.Client.PostAsync("projects", new { name = " Roofs " })).Expect(HttpStatusCode.Created).Json;
        var path = $"projects/{made["id"]}";
        Assert.Equal(("Roofs", "owner", 64), (Text(made, "name"), Text(made, "role"), Text(made, "webhookSecret").Length));
        Assert.Equal(2, (await owner.Client.GetAsync("projects")).Expect(HttpStatusCode.OK).Json.AsArray().Count);

        var changed = (await owner.Client.SendAsync(HttpMethod.Patch, path, new
        {
            name = "Cellars",
            retentionDays = 30,
            maxImagesPerSession = 7,
            maxImageSizeMb = 3,
            e2ePublicKey = rsa.ExportRSAPublicKeyPem(),
        })).Expect(HttpStatusCode.OK).Json;
        Assert.Equal("Cellars", Text(changed, "name"));
        Assert.Equal(30, changed["retentionDays"]!.GetValue<int>());
        Assert.Equal(rsa.ExportSubjectPublicKeyInfoPem(), Text(changed, "e2ePublicKey"));

        var kept = (await owner.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["retentionDays"] = null })).Expect(HttpStatusCode.OK).Json;
        Assert.Null(kept["retentionDays"]);
        Assert.Equal(7, kept["maxImagesPerSession"]!.GetValue<int>());
        var read = (await owner.Client.GetAsync(path)).Expect(HttpStatusCode.OK).Json.AsObject();
        Assert.Equal("""{"images":0,"bytes":0}""", read["stored"]!.ToJsonString());
        read.Remove("stored");
        Assert.Equal(kept.ToJsonString(), read.ToJsonString());
    }

    [Theory, AllDatabases]
    public async Task Values_that_cannot_be_kept_are_refused_by_name(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        using var rsa = RSA.Create(2048);
        using var small = RSA.Create(1024);

        foreach (var (field, value) in new (string, JsonNode?)[]
        {
            ("name", " "), ("name", new string('x', 201)), ("retentionDays", -1), ("retentionDays", 3651), ("retentionRows", "some"), ("maxImagesPerSession", 501), ("maxImageSizeMb", 101),
            ("e2ePublicKey", "x"), ("e2ePublicKey", small.ExportSubjectPublicKeyInfoPem()), ("e2ePublicKey", rsa.ExportPkcs8PrivateKeyPem()),
        })
        {
            var answer = await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { [field] = value });
            Assert.Equal(field, Text(answer.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!, "field"));
        }

        (await owner.Client.PostAsync("projects", new { })).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Webhook_secret_is_for_owners_and_admins_only(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        foreach (var role in Enum.GetValues<Role>())
        {
            var member = role == Role.Owner
                ? await app.SignInAsync()
                : await app.TokenAsync(await app.AddPersonAsync($"{role}@example.com", app.ProjectId, role));
            var project = (await member.Client.GetAsync($"projects/{app.ProjectId}")).Expect(HttpStatusCode.OK).Json.AsObject();

            Assert.Equal(role >= Role.Admin, project.ContainsKey("webhookSecret"));
        }

        Assert.DoesNotContain("webhookSecret", (await app.Client.GetAsync("projects")).Expect(HttpStatusCode.OK).Text, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Rotated_secret_signs_at_once_and_the_one_before_beside_it_for_a_day(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var before = Text((await owner.Client.GetAsync($"projects/{app.ProjectId}")).Json, "webhookSecret");
        var rotated = (await owner.Client.PostAsync($"projects/{app.ProjectId}/webhook-secret/rotate")).Expect(HttpStatusCode.OK).Json;
        var after = Text(rotated, "webhookSecret");
        Assert.NotEqual(before, after);
        Assert.Equal("2026-06-13T09:44:41.919Z", Text(rotated, "previousWebhookSecretUntil"));
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });

        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png());
        var first = await receiver.NextAsync(TestContext.Current.CancellationToken);
        Assert.Equal($"{Standard(first, after)} {Standard(first, before)}", first["webhook-signature"]);
        Assert.Equal(
            "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(after), first.Body)),
            first["X-Apertur-Signature"]);

        await app.PassAsync(TimeSpan.FromHours(24));
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png());
        var second = await receiver.NextAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Standard(second, after), second["webhook-signature"]);
    }

    [Theory, AllDatabases]
    public async Task Limits_of_a_project_bind_sessions_that_are_made_or_changed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new { maxImagesPerSession = 7, maxImageSizeMb = 3 }))
            .Expect(HttpStatusCode.OK);

        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 50 });
        Assert.Equal((7, 3), await LimitsAsync());
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new { max_images = 5, max_image_size_mb = 2 });
        Assert.Equal((5, 2), await LimitsAsync());
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new { max_images = 50, max_image_size_mb = 20 });
        Assert.Equal((7, 3), await LimitsAsync());

        async Task<(int, int)> LimitsAsync()
        {
            var info = (await app.ClientOf(null).GetAsync($"upload/{session}/session")).Json;
            return (info["effectiveMaxImages"]!.GetValue<int>(), info["effectiveMaxImageSizeMb"]!.GetValue<int>());
        }
    }

    [Theory, AllDatabases]
    public async Task Deleted_project_is_out_of_reach_at_once_and_then_gone_with_everything_under_it(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var other = Text((await owner.Client.PostAsync("projects", new { name = "Other" })).Json, "id");
        var otherSession = Text((await owner.Client.PostAsync("upload-sessions", new { project_id = other })).Json, "id");
        await app.Client.UploadAsync(otherSession, Photos.Png());
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var upload = await app.Client.UploadAsync(session, Photos.Png());
        await receiver.NextAsync(TestContext.Current.CancellationToken);
        var id = Guid.Parse(Text(upload, "id"));
        Assert.True(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(id, TestContext.Current.CancellationToken));

        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}")).Expect(HttpStatusCode.NoContent);

        (await app.Client.GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        (await owner.Client.GetAsync($"projects/{app.ProjectId}")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).GetAsync($"upload/{session}/session")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.NotFound);
        Assert.Equal(1, (await owner.Client.GetAsync("stats")).Json["sessionsTotal"]!.GetValue<int>());

        await app.Services.GetRequiredService<ProjectRemoval>().RunOnceAsync(TestContext.Current.CancellationToken);
        await Eventually.Becomes(() => app.Services.GetRequiredService<BlobStore>().ExistsAsync(id, TestContext.Current.CancellationToken), isThere => !isThere);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.False(await db.Projects.AnyAsync(p => p.Id == app.ProjectId, TestContext.Current.CancellationToken));
        Assert.Equal(1, await db.Uploads.CountAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, await db.Deliveries.CountAsync(TestContext.Current.CancellationToken));
        Assert.DoesNotContain(app.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Theory, AllDatabases]
    public async Task Running_delivery_of_a_deleted_project_is_broken_off(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        var (arrived, gone) = (new TaskCompletionSource(), new TaskCompletionSource());
        receiver.Handles(async context =>
        {
            arrived.SetResult();
            await Receiver.GoneAsync(context);
            gone.SetResult();
        });
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png());
        await Eventually.Arrives(arrived.Task);

        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}")).Expect(HttpStatusCode.NoContent);

        // No clock moves here: only breaking it off ends the request.
        await Eventually.Arrives(gone.Task);
        await Eventually.Arrives(app.Services.GetRequiredService<Server.Queue.Pump>().DrainAsync());
    }

    /// <summary>A new table with a project's rows fails here until <see cref="ProjectRemoval"/> knows it.</summary>
    [Theory, AllDatabases]
    public async Task Removal_knows_every_table_that_hangs_on_a_project_and_what_refers_to_others_goes_first(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        // Both databases can say which table refers to which, and whether its rows go by themselves.
        var sql = database == DatabaseKind.Sqlite
            ? """SELECT m.name || ' ' || f."table" AS "Value" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.on_delete <> 'CASCADE'"""
            : """SELECT conrelid::regclass::text || ' ' || confrelid::regclass::text AS "Value" FROM pg_constraint WHERE contype = 'f' AND confdeltype <> 'c'""";
        var references = (await db.Database.SqlQueryRaw<string>(sql).ToListAsync(TestContext.Current.CancellationToken))
            .Select(pair => (From: pair.Split(' ')[0], To: pair.Split(' ')[1])).Distinct().ToList();
        var under = new HashSet<string> { "projects" };
        int known;
        do
        {
            known = under.Count;
            under.UnionWith(references.Where(reference => under.Contains(reference.To)).Select(reference => reference.From));
        }
        while (under.Count > known);

        var order = ProjectRemoval.Tables.ToList();
        Assert.Empty(under.Except(order));
        Assert.All(
            references.Where(r => under.Contains(r.To)),
            r => Assert.True(order.IndexOf(r.From) < order.IndexOf(r.To), $"{r.From} refers to {r.To} and must be emptied before"));
    }

    private static string Standard(Received request, string secret) =>
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(secret),
            (byte[])[.. Encoding.UTF8.GetBytes($"{request["webhook-id"]}.{request["webhook-timestamp"]}."), .. request.Body]));

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();
}
