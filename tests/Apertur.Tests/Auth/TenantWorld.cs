using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Server;
using Apertur.Server.Accounts;
using Apertur.Server.Deliveries;
using Apertur.Server.Events;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Replays;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Apertur.Tests.Tus;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Auth;

/// <summary>
/// Project A with one of everything, project B beside it, and everybody who might ask. <see cref="Things"/> is what a path's ids are filled
/// with: a route with an id of another kind needs a line there, and the tests say so.
/// </summary>
internal sealed partial class TenantWorld
{
    /// <summary>Stands in every name and text of project A: it must never reach a stranger.</summary>
    public const string Mark = "zanzibar";

    private TenantWorld(AperturApp app) => App = app;

    public AperturApp App { get; }

    /// <summary>By the segment before the id and the id's name: one of project A's things.</summary>
    public Dictionary<string, string> Things { get; } = [];

    /// <summary>The same kinds, as the stranger has them in project B.</summary>
    public Dictionary<string, string> OtherThings { get; } = [];

    /// <summary>The kinds of things that belong to an environment; A's are live.</summary>
    public static IReadOnlyCollection<string> LiveThings { get; } = ["uploads", "upload-sessions", "sessions", "images", "keys", "replays"];

    /// <summary>Credentials that name nobody: what they are, and what they send.</summary>
    public Dictionary<string, string?> Nobodies { get; } = [];

    public Dictionary<string, User> People { get; } = [];

    public required Guid OtherProject { get; init; }

    public required string OtherKey { get; init; }

    public required string OtherSession { get; init; }

    public required string ExpiredSession { get; init; }

    public static async Task<TenantWorld> CreateAsync(AperturApp app)
    {
        var expired = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1, ["label"] = Mark });
        await app.PassAsync(TimeSpan.FromHours(2));
        var destination = (await app.Client.PostAsync($"projects/{app.ProjectId}/destinations", new JsonObject
        {
            ["type"] = "webhook",
            ["name"] = Mark,
            ["config"] = new JsonObject { ["url"] = $"http://127.0.0.1:9/{Mark}" },
        })).Expect(HttpStatusCode.Created).Json["id"]!.GetValue<string>();
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["label"] = Mark, ["tags"] = new JsonArray(Mark), ["long_polling"] = true });
        var upload = (await app.Client.UploadAsync(session, Photos.Jpeg(), $"{Mark}.jpg"))["id"]!.GetValue<string>();

        var now = app.Clock.GetUtcNow();
        var other = Project.Create("Other", app.Services.GetRequiredService<ColumnEncryption>(), now);
        var (otherKey, otherText) = ApiKey.Create(other.Id, Env.Live, "Other", now);
        var (revokedKey, revokedText) = ApiKey.Create(app.ProjectId, Env.Live, Mark, now);
        revokedKey.IsActive = false;
        await app.ChangeAsync(db =>
        {
            db.Projects.Single(p => p.Id == app.ProjectId).Name = Mark;
            db.Projects.Add(other);
            db.ApiKeys.AddRange(otherKey, revokedKey);
        });

        var world = new TenantWorld(app)
        {
            OtherProject = other.Id,
            OtherKey = otherText,
            OtherSession = await app.ClientOf(otherText).CreateSessionAsync(new JsonObject { ["long_polling"] = true }),
            ExpiredSession = expired,
        };
        world.People["viewer"] = await app.AddPersonAsync("viewer@example.com", app.ProjectId, Role.Viewer);
        world.People["developer"] = await app.AddPersonAsync("developer@example.com", app.ProjectId, Role.Developer);
        world.People["admin"] = await app.AddPersonAsync("admin@example.com", app.ProjectId, Role.Admin);
        world.People["owner"] = await app.OwnerAsync();
        world.People["other owner"] = await app.AddPersonAsync("owner2@example.com", app.ProjectId, Role.Owner);
        world.People["non-member"] = await app.AddPersonAsync("stranger@example.com", other.Id, Role.Owner);
        world.People["suspended"] = await app.AddPersonAsync("suspended@example.com", app.ProjectId, Role.Owner);
        world.People["deleted member"] = await app.AddPersonAsync("deleted@example.com", app.ProjectId, Role.Owner);
        var member = await app.AddPersonAsync($"{Mark}@example.com", app.ProjectId, Role.Viewer);
        await app.ChangeAsync(db =>
        {
            db.Users.Single(u => u.Id == world.People["suspended"].Id).DisabledAt = now;
            db.Members.Remove(db.Members.Single(m => m.UserId == world.People["deleted member"].Id));
        });

        // Switched off, so that nothing of it changes by itself.
        var webhook = Guid.Parse((await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new
        {
            url = $"http://127.0.0.1:9/{Mark}",
            topics = new[] { "*" },
            isActive = false,
        })).Expect(HttpStatusCode.Created).Json["id"]!.GetValue<string>());

        var invited = (await (await app.TokenAsync(world.People["owner"])).Client
            .PostAsync($"projects/{app.ProjectId}/members", new { email = $"{Mark}2@example.com", role = "viewer" })).Expect(HttpStatusCode.Created).Json;
        world.Nobodies["nobody"] = null;
        world.Nobodies["wrong session"] = world.OtherSession;
        world.Nobodies["expired session"] = expired;
        world.Nobodies["revoked key"] = revokedText;
        world.Nobodies["made-up token"] = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";

        world.Things["projects/{projectId}"] = app.ProjectId.ToString();
        world.Things["destinations/{id}"] = destination;
        world.Things["destinations/{destinationId}"] = destination;
        world.Things["upload-sessions/{id}"] = session;
        world.Things["sessions/{id}"] = session;
        world.Things["upload/{id}"] = session;
        world.Things["u/{id}"] = session;
        world.Things["tus/{upload}"] = (await app.ClientOf(null).BeginAsync(session, 1000, TusClient.Metadata(("filename", $"{Mark}.jpg")))).Split('/')[^1];
        world.Things["logos/{name}"] = "0123456789abcdef0123456789abcdef.png";
        world.Things["s/{code}"] = "aaaaaaaa";
        world.Things["uploads/{id}"] = upload;
        world.Things["downloads/{id}"] = upload;
        world.Things["images/{imageId}"] = upload;
        world.Things["images/{id}"] = upload;
        world.Things["webhooks/{id}"] = webhook.ToString();
        world.Things["deliveries/{deliveryId}"] = (await world.AddTellingAsync(app.ProjectId, webhook, Mark, upload)).ToString();
        world.Things["keys/{id}"] = revokedKey.Id.ToString();
        world.Things["members/{userId}"] = world.Things["users/{userId}"] = member.Id.ToString();
        world.Things["invitations/{id}"] = invited["id"]!.GetValue<string>();
        world.Things["callback/{provider}"] = "dropbox";
        world.Things["pick/{source}"] = "dropbox";
        world.Things["link/{secret}"] = invited["url"]!.GetValue<string>().Split('/')[^1];
        world.Things["replays/{id}"] = (await world.AddReplayAsync(app.ProjectId, destination, Mark)).ToString();
        await world.AddDeliveryAsync(session, upload, destination, Mark);
        await world.AddOtherThingsAsync();
        return world;
    }

    private async Task AddOtherThingsAsync()
    {
        async Task<string> MakeAsync(AperturClient maker, string path, object request)
        {
            var made = (await maker.PostAsync($"projects/{OtherProject}/{path}", request)).Expect(HttpStatusCode.Created).Json;
            return (made["key"] ?? made)["id"]!.GetValue<string>();
        }

        var stranger = await App.TokenAsync(People["non-member"]);
        var upload = (await App.Client.UploadAsync(OtherSession, Photos.Jpeg()))["id"]!.GetValue<string>();
        OtherThings["projects/{projectId}"] = OtherProject.ToString();
        OtherThings["upload-sessions/{id}"] = OtherThings["sessions/{id}"] = OtherSession;
        OtherThings["uploads/{id}"] = OtherThings["images/{imageId}"] = OtherThings["images/{id}"] = upload;
        OtherThings["keys/{id}"] = await MakeAsync(stranger.Client, "keys", new { label = "Spare" });
        OtherThings["destinations/{id}"] = await MakeAsync(
            stranger.Client, "destinations", new { type = "webhook", config = new { url = "http://127.0.0.1:9/" }, isActive = false });
        OtherThings["destinations/{destinationId}"] = OtherThings["destinations/{id}"];
        await AddDeliveryAsync(OtherSession, upload, OtherThings["destinations/{id}"], "other");
        OtherThings["replays/{id}"] = (await AddReplayAsync(OtherProject, OtherThings["destinations/{id}"], "other")).ToString();
        OtherThings["webhooks/{id}"] = await MakeAsync(
            stranger.Client, "webhooks", new { url = "http://127.0.0.1:9/", topics = new[] { "*" }, isActive = false });
        OtherThings["members/{userId}"] = (await App.AddPersonAsync("partner@example.com", OtherProject, Role.Viewer)).Id.ToString();
        OtherThings["invitations/{id}"] = await MakeAsync(stranger.Client, "members", new { email = "guest@example.com", role = "viewer" });
        OtherThings["deliveries/{deliveryId}"] = (await AddTellingAsync(OtherProject, Guid.Parse(OtherThings["webhooks/{id}"]), "other", upload)).ToString();
    }

    /// <summary>A delivery that is over, so that nothing of it changes by itself, and the attempt that ended it.</summary>
    private Task AddDeliveryAsync(string session, string upload, string destination, string text)
    {
        var now = App.Clock.GetUtcNow();
        var delivery = new DeliveryRow
        {
            Id = Guid.CreateVersion7(now),
            UploadId = Guid.Parse(upload),
            SessionId = Guid.Parse(session),
            DestinationId = Guid.Parse(destination),
            DestinationType = "webhook",
            DestinationName = text,
            State = DeliveryState.Sent,
            AttemptsMade = 1,
            Due = new Due(now, DueCause.Received),
            ReceivedAt = now,
            CreatedAt = now,
            UpdatedAt = now,
        };
        return App.ChangeAsync(db => db.AddRange(delivery, new DeliveryAttempt
        {
            DeliveryId = delivery.Id,
            Number = 1,
            DueAt = now,
            DueCause = DueCause.Received,
            StartedAt = now,
            Outcome = AttemptOutcome.Accepted,
            Reason = text,
        }));
    }

    /// <summary>A replay that is paused, so that nothing of it changes by itself.</summary>
    private async Task<Guid> AddReplayAsync(Guid project, string destination, string by)
    {
        var now = App.Clock.GetUtcNow();
        var replay = new Replay
        {
            Id = Guid.CreateVersion7(now),
            ProjectId = project,
            Env = Env.Live,
            DestinationId = Guid.Parse(destination),
            Status = ReplayStatus.Failed,
            Since = now,
            Until = now,
            State = ReplayState.Paused,
            Place = now,
            CreatedBy = by,
            CreatedAt = now,
            UpdatedAt = now,
        };
        await App.ChangeAsync(db => db.Add(replay));
        return replay.Id;
    }

    /// <summary>What was told of a live photo, and did not arrive.</summary>
    private async Task<Guid> AddTellingAsync(Guid project, Guid webhook, string topic, string upload)
    {
        var now = App.Clock.GetUtcNow();
        var told = new LoggedEvent
        {
            Id = Guid.CreateVersion7(now),
            ProjectId = project,
            Topic = topic,
            Body = $$$"""{"event":"{{{topic}}}","data":{"id":"{{{upload}}}","env":"live"}}""",
            CreatedAt = now,
        };
        var telling = new EventDelivery
        {
            Id = Guid.CreateVersion7(now),
            EventId = told.Id,
            WebhookId = webhook,
            Topic = topic,
            State = DeliveryState.Failed,
            Due = new Due(now, DueCause.Received),
            CreatedAt = now,
            UpdatedAt = now,
        };
        await App.ChangeAsync(db => db.AddRange(told, telling));
        return telling.Id;
    }

    /// <summary>The kinds of ids in a path, such as <c>uploads/{id}</c>.</summary>
    public static IReadOnlyList<string> KindsIn(string pattern) => [.. Hole().Matches(pattern).Select(match => match.Value)];

    /// <summary>A path about project A's things; the last id is another when one is given.</summary>
    public string Fill(string pattern, string? last = null)
    {
        var left = KindsIn(pattern).Count;
        return Hole().Replace(pattern, hole =>
        {
            var kind = hole.Value;
            Assert.True(Things.ContainsKey(kind), $"{pattern}: TenantWorld.Things must say what '{kind}' is filled with");
            return $"{kind[..kind.IndexOf('{', StringComparison.Ordinal)]}{(--left == 0 && last is not null ? last : Things[kind])}";
        });
    }

    /// <summary>A path about the stranger's own things, or through them to one of project A's at its end.</summary>
    public string FillOthers(string pattern, bool lastOfA = false)
    {
        var left = KindsIn(pattern).Count;
        return Hole().Replace(pattern, hole =>
        {
            var things = --left == 0 && lastOfA ? Things : OtherThings;
            Assert.True(things.ContainsKey(hole.Value), $"{pattern}: TenantWorld must say what '{hole.Value}' is filled with");
            return $"{hole.Value[..hole.Value.IndexOf('{', StringComparison.Ordinal)]}{things[hole.Value]}";
        });
    }

    /// <summary>
    /// Every row of the database as text, but for what strangers may well change: what is theirs, sign-ins, counts of guesses, and when a key was used.
    /// </summary>
    public async Task<IReadOnlyList<string>> RowsAsync()
    {
        await using var db = App.Services.GetRequiredService<Database>().Open();
        var rows = new List<string>();
        foreach (var table in db.Model.GetEntityTypes().Select(entity => entity.GetTableName()!).Except(["sign_ins", "refresh_tokens", "guesses", "event_tickets"]).Order())
        {
            await using var command = db.Database.GetDbConnection().CreateCommand();
            command.CommandText = $"SELECT * FROM {table}";
            await db.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            while (await reader.ReadAsync(TestContext.Current.CancellationToken))
            {
                rows.Add(table + ": " + string.Join(", ", Enumerable.Range(0, reader.FieldCount)
                    .Where(i => reader.GetName(i) != "last_used_at").Select(i => $"{reader.GetName(i)}={reader.GetValue(i)}")));
            }
        }

        string[] theirs = [.. OtherThings.Values, People["non-member"].Id.ToString(), People["deleted member"].Id.ToString()];
        return [.. rows.Where(row => !theirs.Any(id => row.Contains(id, StringComparison.Ordinal))).Order(StringComparer.Ordinal)];
    }

    [GeneratedRegex(@"[\w-]+/\{\w+\}")]
    private static partial Regex Hole();
}
