using System.Globalization;
using System.Net;
using Apertur.Destinations;
using Apertur.Server;
using Apertur.Server.Retention;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Http;

/// <summary>Rate limits that several nodes hold together.</summary>
public sealed class SharedRateLimitTests
{
    private const int Limit = 320;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    public async Task Limit_holds_over_two_nodes_however_requests_are_spread(int toTheOther)
    {
        await using var pair = await Pair.StartAsync();

        var taken = await pair.TakenAsync(_ => Random.Shared.Next(10) < toTheOther);

        Assert.InRange(taken, Limit * 9 / 10, Limit * 11 / 10);
        var refused = (await pair.First.GetAsync("stats")).Expect(HttpStatusCode.TooManyRequests);
        Assert.Equal("0", refused.Headers.GetValues("X-RateLimit-Remaining").Single());
        // The session of a link has a count of its own.
        (await pair.App.ClientOf(null).GetAsync($"upload/{pair.Session}/session")).Expect(HttpStatusCode.OK);

        pair.App.Clock.Jump(TimeSpan.FromMinutes(1));
        Assert.InRange(await pair.TakenAsync(_ => false), Limit * 9 / 10, Limit);
    }

    [Fact]
    public async Task What_is_left_is_told_of_both_nodes()
    {
        await using var pair = await Pair.StartAsync();
        for (var i = 0; i < 100; i++)
            (await pair.First.GetAsync("stats")).Expect(HttpStatusCode.OK);
        for (var i = 0; i < 100; i++)
            (await pair.Second.GetAsync("stats")).Expect(HttpStatusCode.OK);

        var left = int.Parse((await pair.Second.GetAsync("stats")).Headers.GetValues("X-RateLimit-Remaining").Single(), CultureInfo.InvariantCulture);

        Assert.InRange(left, Limit - 201 - (Limit / 10), Limit - 201 + (Limit / 10));
        // So is what is too little to be shared out.
        var made = 0;
        for (var i = 0; i < 20; i++)
            made += (await (i % 2 == 0 ? pair.First : pair.Second).PostAsync("upload-sessions")).Status == HttpStatusCode.Created ? 1 : 0;
        Assert.InRange(made, 7, 11);
    }

    [Fact]
    public async Task Count_that_cannot_be_written_stops_nobody_and_the_node_counts_for_itself()
    {
        await using var pair = await Pair.StartAsync();
        for (var i = 0; i < Limit / 2; i++)
            (await pair.First.GetAsync("stats")).Expect(HttpStatusCode.OK);
        await using var other = new NpgsqlConnection(pair.App.Services.GetRequiredService<Settings>().Database.ConnectionString);
        await other.OpenAsync(Cancellation);
        await using var holding = await other.BeginTransactionAsync(Cancellation);
        await using (var hold = new NpgsqlCommand("UPDATE rate_counts SET taken = taken", other, holding))
            Assert.InRange(await hold.ExecuteNonQueryAsync(Cancellation), 1, 10);

        for (var i = 0; i < 20; i++)
            (await pair.First.GetAsync("stats")).Expect(HttpStatusCode.OK);

        await holding.RollbackAsync(Cancellation);
        // Nor does a node whose clock is ahead.
        await pair.App.WriteAsync(db => db.Database.ExecuteSqlAsync($"UPDATE rate_counts SET minute = minute + 1", Cancellation));
        for (var i = 0; i < 20; i++)
            (await pair.First.GetAsync("stats")).Expect(HttpStatusCode.OK);
        await pair.App.WriteAsync(db => db.Database.ExecuteSqlAsync($"UPDATE rate_counts SET minute = minute - 1", Cancellation));
        Assert.InRange(await pair.TakenAsync(_ => false), 1, Limit / 2);
    }

    [Fact]
    public async Task Counts_of_minutes_that_are_over_are_removed()
    {
        await using var pair = await Pair.StartAsync();
        await pair.TakenAsync(_ => false);
        await pair.App.Services.GetRequiredService<HistoryRetention>().RunOnceAsync(Cancellation);
        Assert.NotEqual(0, await pair.RowsAsync());
        pair.App.Clock.Jump(TimeSpan.FromMinutes(62));

        await pair.App.Services.GetRequiredService<HistoryRetention>().RunOnceAsync(Cancellation);

        Assert.Equal(0, await pair.RowsAsync());
    }

    [Fact]
    public async Task One_node_alone_writes_nothing_for_its_limits()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, Pair.Settings);
        var taken = 0;
        while ((await app.Client.GetAsync("stats")).Status == HttpStatusCode.OK)
            taken++;

        Assert.Equal(Limit, taken);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(0, await Pair.RowsAsync(db));
    }

    private sealed class Pair(AperturApp app, TempFolder folder, WebApplication node, OutboundHttp http, string session) : IAsyncDisposable
    {
        public static readonly Dictionary<string, string?> Settings = new()
        {
            ["RateLimits:Enabled"] = "true",
            ["RateLimits:SessionCreations"] = "10",
            ["RateLimits:OtherCalls"] = Limit.ToString(CultureInfo.InvariantCulture),
        };

        public AperturApp App => app;

        public string Session => session;

        public AperturClient First => app.Client;

        public AperturClient Second { get; } = new(http, node.Urls.Single(), app.ProjectId, app.LiveKey);

        public static async Task<Pair> StartAsync()
        {
            var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql, Settings);
            var folder = new TempFolder();
            var node = await SecondNode.StartAsync(app, folder, Settings);
            return new(app, folder, node, new OutboundHttp(allowPrivateNetworks: true), await app.Client.CreateSessionAsync());
        }

        /// <summary>How many requests are taken until both nodes refuse.</summary>
        public async Task<int> TakenAsync(Func<int, bool> toTheOther)
        {
            var taken = 0;
            for (var i = 0; i < Limit * 2; i++)
                taken += (await (toTheOther(i) ? Second : First).GetAsync("stats")).Status == HttpStatusCode.OK ? 1 : 0;
            return taken;
        }

        public async Task<long> RowsAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            return await RowsAsync(db);
        }

        public static Task<long> RowsAsync(AperturDb db) =>
            db.Database.SqlQuery<long>($"SELECT count(*) AS \"Value\" FROM rate_counts").SingleAsync(Cancellation);

        public async ValueTask DisposeAsync()
        {
            await node.StopAsync(CancellationToken.None);
            await node.DisposeAsync();
            http.Dispose();
            await app.DisposeAsync();
            folder.Dispose();
        }
    }
}
