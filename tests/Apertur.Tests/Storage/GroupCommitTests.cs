using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Apertur.Server.Storage;
using Apertur.Server.Telemetry;
using Apertur.Tests.Support;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>Commits that many share: what goes into one, and whom a failure concerns.</summary>
public sealed class GroupCommitTests
{
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<int[]> _groups = new();

    [Fact]
    public async Task What_comes_during_a_commit_goes_into_the_next_one_together()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var told = new ConcurrentQueue<int>();
        using var listener = new MeterListener();
        listener.SetMeasurementEventCallback<int>((_, size, _, _) => told.Enqueue(size));
        listener.EnableMeasurementEvents(Instruments.GroupCommits);
        listener.Start();

        var written = await AddAsync(app, Enumerable.Range(1, 300));

        Assert.Equal(Enumerable.Range(1, 300).Select(item => 2 * item), await Eventually.Arrives(Task.WhenAll(written)));
        Assert.Equal([1, 256, 44], _groups.Select(group => group.Length));
        Assert.Contains(256, told);
    }

    [Fact]
    public async Task Item_that_cannot_be_written_fails_alone()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var written = await AddAsync(app, [1, 2, 3], group =>
        {
            if (group.Contains(2))
                throw new InvalidOperationException("It was two.");
        });

        Assert.Equal((2, 6), (await Eventually.Arrives(written[0]), await Eventually.Arrives(written[2])));
        await Assert.ThrowsAsync<InvalidOperationException>(() => Eventually.Arrives(written[1]));
    }

    [Fact]
    public async Task Database_that_is_out_of_reach_is_tried_once_for_all()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var written = await AddAsync(app, [1, 2, 3], group =>
        {
            if (!group.Contains(0))
                throw new InvalidOperationException("As EF Core wraps it.", new NpgsqlException("It does not answer.", new IOException()));
        });

        foreach (var item in written)
            Assert.IsType<NpgsqlException>((await Assert.ThrowsAsync<InvalidOperationException>(() => Eventually.Arrives(item))).InnerException);
        Assert.Equal(2, _groups.Count);
    }

    [Theory, AllDatabases]
    public async Task Items_that_outlast_an_outage_are_written_when_the_database_is_back(DatabaseKind kind)
    {
        await using var app = await AperturApp.StartAsync(kind);
        var tries = 0;

        var written = await AddAsync(
            app, [1, 2, 3],
            group =>
            {
                if (group.Contains(0))
                    return;
                // Nobody holds a row of theirs meanwhile.
                Assert.Equal(0, app.Services.GetRequiredService<Database>().HeldUp);
                if (++tries <= 2)
                    throw new NpgsqlException("It does not answer.", new IOException());
                // Before it is ready, or has room, it answers so.
                if (tries <= 4)
                    throw kind == DatabaseKind.Sqlite ? new SqliteException("Full.", 13) : Answer(PostgresErrorCodes.CannotConnectNow);
            },
            outlastsOutage: true);

        var doubled = await Eventually.Arrives(Task.WhenAll(written));
        Assert.Equal([2, 4, 6], doubled);
        Assert.Equal([[0], [1, 2, 3], [1, 2, 3], [1, 2, 3], [1], [1, 2, 3]], _groups);
    }

    [Fact]
    public async Task Item_that_fails_for_a_reason_of_its_own_waits_for_no_outage()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var written = await AddAsync(
            app, [1, 2],
            group =>
            {
                if (group.Contains(1))
                    throw Answer(PostgresErrorCodes.DataCorrupted);
            },
            outlastsOutage: true);

        await Assert.ThrowsAsync<PostgresException>(() => Eventually.Arrives(written[0]));
        Assert.Equal(4, await Eventually.Arrives(written[1]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Database_that_goes_away_between_items_is_tried_for_each_only_where_none_can_wait(bool outlastsOutage)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var written = await AddAsync(
            app, [1, 2, 3],
            group =>
            {
                if (group.Count == 3)
                    throw Answer(PostgresErrorCodes.AdminShutdown);
                if (!group.Contains(0))
                    throw new NpgsqlException("It does not answer.", new IOException());
            },
            TimeSpan.Zero, outlastsOutage);

        foreach (var item in written)
            await Assert.ThrowsAsync<NpgsqlException>(() => Eventually.Arrives(item));
        Assert.Equal(outlastsOutage ? [[0], [1, 2, 3], [1]] : [[0], [1, 2, 3], [1], [2], [3]], _groups);
    }

    [Fact]
    public async Task Item_that_outlasts_no_longer_outage_fails_for_it()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var written = await AddAsync(
            app, [1],
            group =>
            {
                if (!group.Contains(0))
                    throw new NpgsqlException("It does not answer.", new IOException());
            },
            TimeSpan.Zero, outlastsOutage: true);

        await Assert.ThrowsAsync<NpgsqlException>(() => Eventually.Arrives(written[0]));
        await Eventually.True(() => app.Services.GetRequiredService<Database>().HeldUp == 0);
    }

    [Fact]
    public async Task Item_that_needs_what_somebody_holds_stands_aside_until_that_is_free()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var database = app.Services.GetRequiredService<Database>();
        var isHeld = true;

        var written = await AddAsync(app, [1, 2], group => ThrowIf(group.Contains(1) && Volatile.Read(ref isHeld)));

        Assert.Equal(4, await Eventually.Arrives(written[1]));
        await Eventually.True(() => database.HeldUp == 1);
        Assert.False(written[0].IsCompleted);
        Volatile.Write(ref isHeld, false);
        Assert.Equal(2, await Eventually.Arrives(written[0]));
        await Eventually.True(() => database.HeldUp == 0);
    }

    [Fact]
    public async Task Item_that_needs_what_stays_held_fails_when_its_time_is_up()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var written = await AddAsync(app, [1, 2], group => ThrowIf(group.Contains(1)), maxLockWait: TimeSpan.Zero);

        Assert.Equal(4, await Eventually.Arrives(written[1]));
        await Assert.ThrowsAsync<RowHeldException>(() => Eventually.Arrives(written[0]));
        await Eventually.True(() => app.Services.GetRequiredService<Database>().HeldUp == 0);
    }

    /// <summary>Hands items over while the commit of another one is under way.</summary>
    private async Task<IReadOnlyList<Task<int>>> AddAsync(
        AperturApp app, IEnumerable<int> items, Action<IReadOnlyList<int>>? before = null, TimeSpan? maxLockWait = null, bool outlastsOutage = false)
    {
        var commit = new GroupCommit<int, int>(
            app.Services.GetRequiredService<Database>(),
            maxLockWait ?? TimeSpan.FromSeconds(60),
            outlastsOutage,
            _ => [new RowKey("sessions", Guid.Empty)],
            async (_, group, _) =>
            {
                _groups.Enqueue([.. group]);
                if (group.Contains(0))
                {
                    _begun.SetResult();
                    await _goOn.Task;
                }

                before?.Invoke(group);
                return [.. group.Select(item => 2 * item)];
            });
        var first = commit.AddAsync(0);
        await Eventually.Arrives(_begun.Task);
        var others = items.Select(commit.AddAsync).ToList();
        _goOn.SetResult();
        Assert.Equal(0, await Eventually.Arrives(first));
        return others;
    }

    private static void ThrowIf(bool isHeld)
    {
        if (isHeld)
            throw Answer(PostgresErrorCodes.LockNotAvailable);
    }

    private static PostgresException Answer(string code) => new("…", "ERROR", "ERROR", code);
}
