using System.Text.Json.Nodes;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>What becomes of a transaction whose connection PostgreSQL, a balancer or a person ends in the middle.</summary>
public sealed class LostConnectionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Which statement finds out differs; what EF Core or Npgsql do with the failure must not.</summary>
    [Theory]
    [InlineData("read, and go on")]
    [InlineData("save, and go on")]
    [InlineData("read, and commit")]
    [InlineData("read, and go on at once")]
    public async Task Write_that_lost_its_connection_is_done_again_from_its_start(string way)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var database = app.Services.GetRequiredService<Database>();
        var runs = 0;

        await database.WriteAsync(
            async db =>
            {
                await db.Projects.ExecuteUpdateAsync(p => p.SetProperty(x => x.Name, x => x.Name + "!"), Cancellation);
                if (++runs == 1)
                {
                    await EndAsync(app, db);
                    await SwallowAsync(() => way.StartsWith("save", StringComparison.Ordinal)
                        ? RenameAsync(db, "Lost")
                        : db.Projects.AsNoTracking().ToListAsync(Cancellation));
                }

                if (way.EndsWith("at once", StringComparison.Ordinal))
                    RenameAtOnce(db, "Kept");
                else if (!way.EndsWith("commit", StringComparison.Ordinal))
                    await RenameAsync(db, "Kept");
            },
            Cancellation);

        Assert.Equal(2, runs);
        await using var read = database.Open();
        Assert.Equal(way.EndsWith("commit", StringComparison.Ordinal) ? "Claims!" : "Kept", await read.Projects.Select(p => p.Name).SingleAsync(Cancellation));
    }

    [Fact]
    public async Task Write_that_PostgreSQL_ended_is_done_again_three_times_and_one_that_is_wrong_is_not()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        foreach (var (state, runs) in new[]
        {
            (PostgresErrorCodes.DeadlockDetected, 4), (PostgresErrorCodes.SerializationFailure, 4), (Database.IdleInTransaction, 4),
            (PostgresErrorCodes.UniqueViolation, 1),
        })
        {
            var done = 0;
            var failure = await Assert.ThrowsAsync<PostgresException>(() => app.Services.GetRequiredService<Database>().WriteAsync(
                _ =>
                {
                    done++;
                    throw new PostgresException("…", "ERROR", "ERROR", state);
                },
                Cancellation));
            Assert.Equal((state, runs), (failure.SqlState, done));
        }
    }

    /// <summary>What has arrived must not be sent again because nobody could write that down.</summary>
    [Fact]
    public async Task Outcomes_are_written_when_a_database_that_was_out_of_reach_is_back()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var connection = new NpgsqlConnectionStringBuilder(app.Services.GetRequiredService<Server.Settings>().Database.ConnectionString);
        var target = $"http://{connection.Host}:{connection.Port}";
        await using var network = new PortForward(target);
        (connection.Host, connection.Port) = ("127.0.0.1", new Uri(network.Url).Port);
        app.Set("Database:ConnectionString", connection.ConnectionString);
        await app.RestartAsync();
        var isAway = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver.Otherwise = async context =>
        {
            await receiver.ReadAsync(context);
            await isAway.Task;
        };
        var webhook = await app.ListenAsync(receiver, "project.session.created");
        var session = await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));
        var photo = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await Eventually.True(() => receiver.Requests.Count == 2);

        network.Cut();
        isAway.SetResult();
        // Those of the photo and the event are tried, again and again.
        var before = network.Connections;
        await Eventually.True(() => network.Connections >= before + 8);
        network.Target = target;

        await app.NewestBecomesAsync(webhook, "sent");
        await app.Client.UploadBecomesAsync(photo, "delivered");
        Assert.Equal(2, receiver.Requests.Count);
    }

    private static async Task RenameAsync(AperturDb db, string name)
    {
        (await db.Projects.SingleAsync(Cancellation)).Name = name;
        await db.SaveChangesAsync(Cancellation);
    }

    private static void RenameAtOnce(AperturDb db, string name)
    {
        db.Projects.Single().Name = name;
        db.SaveChanges();
    }

    private static async Task EndAsync(AperturApp app, AperturDb db)
    {
        var backend = ((NpgsqlConnection)db.Database.GetDbConnection()).ProcessID;
        await using var other = new NpgsqlConnection(app.Services.GetRequiredService<Server.Settings>().Database.ConnectionString);
        await other.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand($"SELECT pg_terminate_backend({backend}, 5000)", other);
        Assert.True((bool)(await command.ExecuteScalarAsync(Cancellation))!);
    }

    /// <summary>As a library does that must not fail over what it can do without.</summary>
    private static async Task SwallowAsync(Func<Task> work)
    {
        var failure = await Record.ExceptionAsync(work);
        Assert.NotNull(failure);
    }
}
