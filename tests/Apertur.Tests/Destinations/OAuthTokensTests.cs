using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Apertur.Tests.Destinations;

/// <summary>What becomes of a connection over time: tokens end, grants are withdrawn, workers die.</summary>
public sealed class OAuthTokensTests : IAsyncLifetime
{
    private const string Token = "POST /token";

    private FakeClouds _clouds = null!;

    public async ValueTask InitializeAsync() => _clouds = await FakeClouds.StartAsync();

    public async ValueTask DisposeAsync() => await _clouds.DisposeAsync();

    [Theory, AllDatabases]
    public async Task Withdrawn_grant_parks_without_burning_attempts_and_a_new_one_resumes(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "google_drive");
        var session = await app.Client.CreateSessionAsync(id);
        _clouds.Google.OAuth.Revoke();

        var first = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(10_000, 1)))["id"]!;
        var parked = await Eventually.Becomes(() => app.DestinationAsync(id), row => row.ParkedReason is not null, "the destination is parked");
        var second = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(10_000, 2)))["id"]!;
        await app.PassAsync(TimeSpan.FromDays(8));

        Assert.Contains("Connect the destination again", parked.ParkedReason, StringComparison.Ordinal);
        Assert.True(parked.IsActive);
        var waiting = (await app.DeliveriesAsync(first)).Single();
        Assert.Equal(DeliveryState.Retrying, waiting.State);
        Assert.Equal(0, waiting.Attempts);
        Assert.Equal("pending", (string)(await app.Client.UploadRowAsync(second))["status"]!);
        await using (var db = app.Services.GetRequiredService<Database>().Open())
            Assert.Empty(await db.OAuthGrants.ToListAsync(TestContext.Current.CancellationToken));

        await _clouds.ConnectAsync(app, id);

        await app.Client.UploadBecomesAsync(first, "delivered");
        await app.Client.UploadBecomesAsync(second, "delivered");
        Assert.Equal(1, (await app.DeliveriesAsync(first)).Single().Attempts);
        Assert.Equal(2, _clouds.Google.Files.Count);
    }

    [Theory, AllDatabases]
    public async Task Token_that_is_not_accepted_is_renewed_within_the_attempt(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "google_drive");
        _clouds.Google.OAuth.Expire();

        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), Photos.Jpeg()))["id"]!;

        await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Equal(1, (await app.DeliveriesAsync(upload)).Single().Attempts);
        Assert.Equal(2, _clouds.Google.Count(Token));
    }

    [Theory, AllDatabases]
    public async Task Test_of_a_destination_renews_its_token_too(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "dropbox");
        _clouds.Dropbox.OAuth.Expire();

        Assert.True((bool)(await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{id}/test")).Json["success"]!);

        _clouds.Dropbox.OAuth.Revoke();
        var answer = (await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{id}/test")).Json;
        Assert.False((bool)answer["success"]!);
        Assert.Contains("Connect the destination again", (string)answer["error"]!, StringComparison.Ordinal);
        Assert.Equal((string)answer["error"]!, (await app.DestinationAsync(id)).ParkedReason);
    }

    [Theory, AllDatabases]
    public async Task Many_deliveries_share_one_renewal(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "dropbox");
        var session = await app.Client.CreateSessionAsync(id);
        await app.PassAsync(TimeSpan.FromMinutes(56));

        var uploads = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => app.Client.UploadAsync(session, Photos.Jpeg(20_000, i), $"{i}.jpg")));
        foreach (var upload in uploads)
            await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");

        Assert.Equal(2, _clouds.Dropbox.Count("POST /oauth2/token"));
        Assert.Equal(12, _clouds.Dropbox.Files.Count);
    }

    [Theory, AllDatabases]
    public async Task Node_waits_for_the_renewal_of_another(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = Guid.Parse(await _clouds.ConnectedAsync(app, "google_drive"));
        await app.PassAsync(TimeSpan.FromHours(1));
        var asked = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        _clouds.Google.On(Token, async (_, next) =>
        {
            asked.SetResult();
            await answer.Task;
            await next();
        });

        var one = UseAsync(app, Node(app), id);
        await Eventually.Arrives(asked.Task);
        var other = UseAsync(app, Node(app), id);
        await Eventually.True(() => app.Clock.WaitingTimers > 0);
        answer.SetResult();
        // While its answer comes the clock stands, or its turn would end.
        await Eventually.Arrives(one);
        await Eventually.Becomes(
            () =>
            {
                app.Clock.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(other.IsCompleted);
            },
            done => done, "the other node has the token");

        Assert.Equal(await one, await other);
        Assert.NotNull(await one);
        Assert.Equal(2, _clouds.Google.Count(Token));
    }

    [Theory, AllDatabases]
    public async Task Token_that_another_node_has_just_stored_is_used_at_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = Guid.Parse(await _clouds.ConnectedAsync(app, "google_drive"));
        await app.PassAsync(TimeSpan.FromHours(1));
        var until = app.Clock.GetUtcNow().AddHours(1);
        // The node looks at the time after it has read the grant: once before it wants to renew it, and once more before it takes the turn.
        var clock = new InterruptedClock(app.Clock, reading: 2, () => app.WriteAsync(db => db.OAuthGrants.ExecuteUpdateAsync(
            row => row.SetProperty(g => g.AccessUntil, until), TestContext.Current.CancellationToken)));

        Assert.NotNull(await Eventually.Arrives(UseAsync(app, Node(app, clock), id)));

        Assert.Equal(1, _clouds.Google.Count(Token));
    }

    [Theory, AllDatabases]
    public async Task Turn_of_a_node_that_died_is_taken_over(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = Guid.Parse(await _clouds.ConnectedAsync(app, "google_drive"));
        await app.PassAsync(TimeSpan.FromHours(1));
        var until = app.Clock.GetUtcNow().AddSeconds(60);
        await app.WriteAsync(db => db.OAuthGrants.ExecuteUpdateAsync(
            row => row.SetProperty(g => g.Refresher, Guid.NewGuid()).SetProperty(g => g.RefreshUntil, until), TestContext.Current.CancellationToken));

        var token = UseAsync(app, Node(app), id);
        app.Clock.Advance(TimeSpan.FromSeconds(58));
        await Eventually.Becomes(
            () =>
            {
                // While it is answered the clock stands, or its time to ask would be up.
                if (_clouds.Google.Count(Token) == 1)
                    app.Clock.Advance(TimeSpan.FromMilliseconds(250));
                return Task.FromResult(token.IsCompleted);
            },
            done => done, "the turn is taken over");

        Assert.NotNull(await token);
        Assert.True(app.Clock.GetUtcNow() >= until, app.Clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture));
    }

    [Theory, AllDatabases]
    public async Task Refresh_token_that_replaces_the_old_one_is_kept_before_its_access_token_is_used(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = Guid.Parse(await _clouds.ConnectedAsync(app, "google_drive"));
        await app.PassAsync(TimeSpan.FromHours(1));
        _clouds.Google.OAuth.Revoke();
        var (access, refresh) = (_clouds.Google.OAuth.IssueAccessToken(), _clouds.Google.OAuth.IssueRefreshToken());
        var answer = new JsonObject { ["access_token"] = access, ["expires_in"] = 3600, ["refresh_token"] = refresh };
        _clouds.Google.Refuse(Token, StatusCodes.Status200OK, answer.ToJsonString());

        string? kept = null;
        var outcome = await Node(app).UseAsync(Flow(app), id, async used =>
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            var grant = await db.OAuthGrants.SingleAsync(TestContext.Current.CancellationToken);
            kept = app.Services.GetRequiredService<ColumnEncryption>().Unprotect(OAuthGrant.RefreshTokenColumn, id, grant.RefreshToken);
            Assert.Equal(access, used.Token);
            return new DeliveryOutcome.Accepted();
        }, TestContext.Current.CancellationToken);

        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        Assert.Equal(refresh, kept);
        await app.PassAsync(TimeSpan.FromHours(1));
        Assert.NotNull(await UseAsync(app, Node(app), id));
    }

    [Theory, AllDatabases]
    public async Task Token_endpoint_that_is_down_costs_an_attempt_and_nothing_else(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "dropbox");
        var session = await app.Client.CreateSessionAsync(id);
        await app.PassAsync(TimeSpan.FromHours(1));
        _clouds.Dropbox.Refuse("POST /oauth2/token", StatusCodes.Status503ServiceUnavailable);

        var upload = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await Eventually.Becomes(() => app.DeliveriesAsync(upload), rows => rows.Single().LastError is not null, "the attempt failed");
        Assert.Null((await app.DestinationAsync(id)).ParkedReason);
        await app.PassAsync(TimeSpan.FromMinutes(1));

        await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Equal(2, (await app.DeliveriesAsync(upload)).Single().Attempts);
    }

    [Theory, AllDatabases]
    public async Task Interrupted_upload_goes_on_where_it_was_and_its_note_is_forgotten_at_the_end(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "google_drive");
        _clouds.Google.CutBody("PUT /", after: 5_000_000);
        _clouds.Google.Refuse("PUT /", StatusCodes.Status503ServiceUnavailable);

        var photo = Photos.Jpeg(12_000_000, seed: 3);
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), photo))["id"]!;
        var cut = (await Eventually.Becomes(
            () => app.DeliveriesAsync(upload), rows => rows.Single() is { State: DeliveryState.Retrying, LastError: not null },
            "the attempt failed")).Single();
        Assert.NotNull(cut.Resume);
        Assert.DoesNotContain("upload_id", cut.Resume, StringComparison.Ordinal);
        var note = app.Services.GetRequiredService<ColumnEncryption>().Unprotect(DeliveryRow.ResumeColumn, cut.Id, cut.Resume);
        Assert.Contains("upload_id", note, StringComparison.Ordinal);
        await Eventually.Becomes(
            async () =>
            {
                await app.PassAsync(TimeSpan.FromSeconds(31));
                return await app.Client.UploadRowAsync(upload);
            },
            row => (string)row["status"]! == "delivered", "the upload is delivered");

        Assert.Equal(photo, _clouds.Google.Files.Single().Bytes);
        Assert.Equal(1, _clouds.Google.Count("generateIds"));
        Assert.Null((await app.DeliveriesAsync(upload)).Single().Resume);
    }

    [Theory, AllDatabases]
    public async Task Note_of_a_worker_that_lost_its_claim_is_refused(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "dropbox");
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(upload, "delivered");
        var row = (await app.DeliveriesAsync(upload)).Single();
        row.LeaseToken = Guid.NewGuid();

        await Assert.ThrowsAsync<ClaimLostException>(
            () => app.Services.GetRequiredService<ResumeNotes>().SaveAsync(row, "target", "note", TestContext.Current.CancellationToken));
    }

    [Theory, AllDatabases]
    public async Task Deleted_destination_keeps_no_grant(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await _clouds.ConnectedAsync(app, "dropbox");

        await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{id}");

        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Empty(await db.OAuthGrants.ToListAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>As another process would have it: the same database, nothing else shared.</summary>
    private static OAuthTokens Node(AperturApp app, TimeProvider? clock = null) => new(
        app.Services.GetRequiredService<Database>(), app.Services.GetRequiredService<ColumnEncryption>(), clock ?? app.Clock,
        NullLogger<OAuthTokens>.Instance);

    private static OAuthFlow Flow(AperturApp app) =>
        ((IOAuthDestination)app.Services.GetRequiredService<DestinationTypes>().Find("google_drive")!).OAuth!;

    private static async Task<string?> UseAsync(AperturApp app, OAuthTokens tokens, Guid id)
    {
        string? used = null;
        await tokens.UseAsync(
            Flow(app), id,
            access =>
            {
                used = access.Token;
                return Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.Accepted());
            },
            TestContext.Current.CancellationToken);
        return used;
    }

    /// <summary>Lets something happen in the moment in which it is read for the nth time.</summary>
    private sealed class InterruptedClock(TimeProvider clock, int reading, Func<Task> interrupt) : TimeProvider
    {
        private int _readings;

        public override DateTimeOffset GetUtcNow()
        {
            if (Interlocked.Increment(ref _readings) == reading)
                interrupt().GetAwaiter().GetResult();
            return clock.GetUtcNow();
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            clock.CreateTimer(callback, state, dueTime, period);
    }
}
