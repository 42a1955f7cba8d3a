using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>What happens while somebody else holds a row in PostgreSQL and does not go on: a node that is frozen, or a person at psql.</summary>
public sealed class HeldRowsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The time of a session's last change must not go back: whoever follows the session would miss what came between.</summary>
    [Fact]
    public async Task Page_that_is_opened_while_its_session_changes_takes_no_change_back()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var session = Guid.Parse(await app.Client.CreateSessionAsync());
        var hasChanged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var later = app.Clock.GetUtcNow().AddHours(1);
        var changing = app.WriteAsync(async db =>
        {
            (await db.Sessions.SingleAsync(row => row.Id == session, Cancellation)).Touch(later);
            await db.SaveChangesAsync(Cancellation);
            hasChanged.SetResult();
            await goOn.Task;
        });
        await Eventually.Arrives(hasChanged.Task);

        var opening = app.ClientOf(null).GetAsync($"/u/{session}");
        await StandsAsideAsync(app);
        goOn.SetResult();

        await Eventually.Arrives(changing);
        (await Eventually.Arrives(opening)).Expect(HttpStatusCode.OK);
        await using var read = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(later.AddMilliseconds(1), (await read.Sessions.SingleAsync(row => row.Id == session, Cancellation)).LastChanged);
    }

    [Fact]
    public async Task Held_session_keeps_only_its_own_photos_waiting()
    {
        // Longer than the photos of the other session may take.
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.PostgreSql, new Dictionary<string, string?> { ["Database:LockWaitSeconds"] = "60" });
        var (held, other) = (await app.Client.CreateSessionAsync(), await app.Client.CreateSessionAsync());
        await using var holder = await Holder.LockAsync(app, "sessions", held);

        var waiting = Enumerable.Range(1, 3).Select(seed => app.Client.PostImageAsync(held, Photos.Jpeg(2_000, seed))).ToList();
        for (var seed = 11; seed < 30; seed++)
            (await app.Client.PostImageAsync(other, Photos.Jpeg(2_000, seed))).Expect(HttpStatusCode.Created);

        Assert.DoesNotContain(waiting, upload => upload.IsCompleted);
        await Eventually.True(() => app.Services.GetRequiredService<Database>().HeldUp == waiting.Count);
        var problem = (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.OK).Json["problems"]!.AsArray().Single()!;
        Assert.Equal("locks", (string)problem["check"]!);
        Assert.EndsWith("holds: 3.", (string)problem["detail"]!, StringComparison.Ordinal);
        await holder.LetGoAsync();
        foreach (var upload in waiting)
            (await Eventually.Arrives(upload)).Expect(HttpStatusCode.Created);
        Assert.Equal(3, await ImagesAsync(app, held));
    }

    [Fact]
    public async Task Photo_of_a_session_that_stays_held_is_refused_and_told_when_to_come_again()
    {
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.PostgreSql, new Dictionary<string, string?> { ["Database:LockWaitSeconds"] = "1" });
        var session = await app.Client.CreateSessionAsync();
        await using var holder = await Holder.LockAsync(app, "sessions", session);

        var refused = (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.ServiceUnavailable);

        Assert.NotNull(refused.Headers.RetryAfter);
        // Its page opens all the same, which cannot be noted.
        (await app.ClientOf(null).GetAsync($"/u/{session}")).Expect(HttpStatusCode.OK);
        await holder.LetGoAsync();
        Assert.Equal(0, await ImagesAsync(app, session));
        Assert.Empty(Directory.GetFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories));
        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Write_that_needs_a_held_row_is_tried_until_that_is_free_or_its_time_is_up()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var database = app.Services.GetRequiredService<Database>();
        var session = await app.Client.CreateSessionAsync();
        await using var holder = await Holder.LockAsync(app, "sessions", session);

        var tries = 0;
        var waiting = WriteAsync(TimeSpan.FromSeconds(60));
        await Eventually.True(() => Volatile.Read(ref tries) >= 3);
        // One, however often it is tried.
        Assert.Equal(1, database.HeldUp);
        var late = await Record.ExceptionAsync(() => Eventually.Arrives(WriteAsync(1.5 * PostgresSession.LockWait)));
        Assert.True(late is not null && Database.IsHeld(late), $"{late}");
        Assert.Equal(1, database.HeldUp);
        Assert.False(waiting.IsCompleted);

        await holder.LetGoAsync();
        await Eventually.Arrives(waiting);
        Assert.Equal(0, database.HeldUp);
        Assert.Equal(30, (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["imagesPerSession"]!);

        Task<int> WriteAsync(TimeSpan maxLockWait) => database.WriteWithinAsync(
            maxLockWait,
            async db =>
            {
                Interlocked.Increment(ref tries);
                return (await database.Locked(db.Sessions, [Guid.Parse(session)]).SingleAsync(Cancellation)).MaxImages = 30;
            },
            Cancellation);
    }

    /// <summary>Each row that it writes: of one that was not said beforehand, each of its tries would wait, and with it the others'.</summary>
    [Fact]
    public async Task Outcome_of_which_a_row_is_held_waits_and_those_of_others_do_not()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        foreach (var table in new[] { "sessions", "destinations", "uploads", "deliveries" })
        {
            var (arrived, answer) = HoldsNext(receiver);
            var (webhook, other) = (await WebhookAsync(), await WebhookAsync());
            var session = await app.Client.CreateSessionAsync(webhook);
            var first = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
            await Eventually.Arrives(arrived);
            var delivery = (await app.DeliveriesAsync(first)).Single().Id.ToString();
            await using var holder = await Holder.LockAsync(
                app, table, table switch { "sessions" => session, "destinations" => webhook, "uploads" => first, _ => delivery });
            answer.SetResult();
            await StandsAsideAsync(app);

            var second = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(other), Photos.Png()))["id"]!;

            await IsWrittenWithoutWaitingAsync(app, table, async () => (await app.DeliveriesAsync(second)).Single().State == DeliveryState.Sent);
            Assert.Equal("pending", (string)(await app.Client.UploadRowAsync(first))["status"]!);
            await holder.LetGoAsync();
            await app.Client.UploadBecomesAsync(first, "delivered");
            Assert.Equal(1, (await app.DeliveriesAsync(first)).Single().Attempts);
        }

        Task<string> WebhookAsync() => app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
    }

    [Fact]
    public async Task Outcome_of_an_event_of_which_a_row_is_held_waits_and_those_of_others_do_not()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var (made, closed) = (await app.ListenAsync(receiver, "project.session.created"), await app.ListenAsync(receiver, "project.session.completed"));
        foreach (var (number, table) in new[] { "event_webhooks", "event_deliveries" }.Index())
        {
            var (arrived, answer) = HoldsNext(receiver);
            var session = await app.Client.CreateSessionAsync();
            await Eventually.Arrives(arrived);
            var held = table == "event_webhooks" ? (string)made["id"]! : await SendingAsync();
            await using var holder = await Holder.LockAsync(app, table, held);
            answer.SetResult();
            await StandsAsideAsync(app);

            (await app.Client.PostAsync($"upload-sessions/{session}/complete")).Expect(HttpStatusCode.OK);

            await IsWrittenWithoutWaitingAsync(app, table, async () => await SentAsync(closed) == number + 1);
            Assert.Equal(number, await SentAsync(made));
            await holder.LetGoAsync();
            await Eventually.Becomes(() => SentAsync(made), sent => sent == number + 1);
        }

        async Task<string> SendingAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            return (await db.EventDeliveries.SingleAsync(row => row.State == DeliveryState.Sending, Cancellation)).Id.ToString();
        }

        async Task<int> SentAsync(JsonNode webhook)
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            var id = Guid.Parse((string)webhook["id"]!);
            return await db.EventDeliveries.CountAsync(row => row.WebhookId == id && row.State == DeliveryState.Sent, Cancellation);
        }
    }

    [Theory]
    [InlineData("sessions")]
    [InlineData("deliveries")]
    public async Task Delivery_that_is_held_or_its_session_is_waits_to_be_claimed_and_those_of_others_do_not(string table)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var (held, other) = (await app.Client.CreateSessionAsync(webhook), await app.Client.CreateSessionAsync(webhook));
        var first = (string)(await app.Client.UploadAsync(held, Photos.Png()))["id"]!;
        // An attempt counts from its claim on; what came of it needs the session too.
        await Eventually.Becomes(() => app.DeliveriesAsync(first), rows => rows.Single().State == DeliveryState.Retrying);
        await app.PassAsync(TimeSpan.Zero);
        await using var holder = await Holder.LockAsync(
            app, table, table == "sessions" ? held : (await app.DeliveriesAsync(first)).Single().Id.ToString());

        await app.PassAsync(TimeSpan.FromMinutes(1));
        var second = (string)(await app.Client.UploadAsync(other, Photos.Png()))["id"]!;

        await app.Client.UploadBecomesAsync(second, "delivered");
        Assert.Equal(1, (await app.DeliveriesAsync(first)).Single().Attempts);
        await holder.LetGoAsync();
        await app.PassAsync(TimeSpan.FromSeconds(1));
        await app.Client.UploadBecomesAsync(first, "delivered");
    }

    [Fact]
    public async Task Transaction_that_stopped_before_its_commit_holds_no_count_that_others_write()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var session = await app.Client.CreateSessionAsync();
        var (stopped, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var counting = app.Services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                db.Counts.For(app.ProjectId, Server.Env.Live, app.Clock.GetUtcNow()).Images++;
                stopped.TrySetResult();
                await goOn.Task;
            },
            Cancellation);
        await Eventually.Arrives(stopped.Task);

        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.Created);

        Assert.False(counting.IsCompleted);
        goOn.SetResult();
        await Eventually.Arrives(counting);
        Assert.Equal(2, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
    }

    [Fact]
    public async Task Transaction_of_a_node_that_stopped_is_ended_for_the_others_and_run_again_when_it_goes_on()
    {
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.PostgreSql, new Dictionary<string, string?> { ["Database:IdleTransactionSeconds"] = "1" });
        var database = app.Services.GetRequiredService<Database>();
        var session = await app.Client.CreateSessionAsync();
        var (stopped, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var attempts = 0;
        var raising = database.WriteAsync(
            async db =>
            {
                attempts++;
                var row = await database.Locked(db.Sessions, [Guid.Parse(session)]).SingleAsync(Cancellation);
                row.MaxImages = 30;
                stopped.TrySetResult();
                await goOn.Task;
            },
            Cancellation);
        await Eventually.Arrives(stopped.Task);

        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.Created);

        goOn.SetResult();
        await Eventually.Arrives(raising);
        // Again, and once more each time that this machine stands still for a second in it.
        Assert.InRange(attempts, 2, 4);
        Assert.Equal(30, (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["imagesPerSession"]!);
        Assert.Equal(1, await ImagesAsync(app, session));
    }

    private static async Task<int> ImagesAsync(AperturApp app, string session) =>
        (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["imagesCount"]!;

    /// <summary>The next request arrives, and is answered when that is said.</summary>
    private static (Task Arrived, TaskCompletionSource Answer) HoldsNext(Receiver receiver)
    {
        var (arrived, answer) = (new TaskCompletionSource(), new TaskCompletionSource());
        receiver.Handles(async _ =>
        {
            arrived.SetResult();
            await answer.Task;
        });
        return (arrived.Task, answer);
    }

    private static Task StandsAsideAsync(AperturApp app) => Eventually.True(() => app.Services.GetRequiredService<Database>().HeldUp == 1);

    /// <summary>Waits until it is so, and sees to it that meanwhile no transaction waits for a row.</summary>
    private static async Task IsWrittenWithoutWaitingAsync(AperturApp app, string held, Func<Task<bool>> isWritten)
    {
        await using var connection = new NpgsqlConnection(app.Services.GetRequiredService<Server.Settings>().Database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event IN ('transactionid', 'tuple')", connection);
        var waits = 0L;
        await Eventually.Becomes(
            async () =>
            {
                waits += (long)(await command.ExecuteScalarAsync(Cancellation))!;
                return await isWritten();
            },
            written => written);
        Assert.Equal((held, 0L), (held, waits));
    }

    /// <summary>Holds a row, as a transaction does that does not go on.</summary>
    private sealed class Holder(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
    {
        public static async Task<Holder> LockAsync(AperturApp app, string table, string id)
        {
            var connection = new NpgsqlConnection(app.Services.GetRequiredService<Server.Settings>().Database.ConnectionString);
            await connection.OpenAsync(Cancellation);
            var transaction = await connection.BeginTransactionAsync(Cancellation);
            await using var command = new NpgsqlCommand($"SELECT 1 FROM {table} WHERE id = $1 FOR NO KEY UPDATE", connection)
            {
                Parameters = { new NpgsqlParameter { Value = id } },
            };
            Assert.NotNull(await command.ExecuteScalarAsync(Cancellation));
            return new Holder(connection, transaction);
        }

        public Task LetGoAsync() => transaction.CommitAsync(Cancellation);

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
