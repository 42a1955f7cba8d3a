using Apertur.Server;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>That a commit is on disk when it returns, whatever the database was set to.</summary>
public sealed class DurabilityTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PostgreSql_that_syncs_nothing_is_refused_in_words()
    {
        // The one that tests use is of this kind.
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => AperturApp.StartAsync(
            DatabaseKind.PostgreSql, new Dictionary<string, string?> { ["Database:AllowDataLoss"] = "false" }));

        Assert.Contains("fsync=off", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Set fsync=on in postgresql.conf", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("off", "on")]
    [InlineData("local", "on")]
    [InlineData("remote_write", "on")]
    [InlineData("on", "on")]
    [InlineData("remote_apply", "remote_apply")]
    public async Task Commit_waits_for_the_disk_even_where_the_connection_says_otherwise(string said, string meant)
    {
        await using var postgreSql = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        await using var services = Services(
            new NpgsqlConnectionStringBuilder(postgreSql.ConnectionString) { Options = $"-c synchronous_commit={said}" }.ConnectionString);

        var inWrite = await services.GetRequiredService<Database>().WriteAsync(
            db => db.Database.SqlQueryRaw<string>("SELECT current_setting('synchronous_commit') AS \"Value\"").SingleAsync(Cancellation), Cancellation);

        Assert.Equal(meant, inWrite);
    }

    [Theory, AllDatabases]
    public async Task Long_read_may_take_as_long_as_it_takes_and_the_next_one_may_not(DatabaseKind kind)
    {
        await using var app = await AperturApp.StartAsync(kind);
        var database = app.Services.GetRequiredService<Database>();

        var limits = await database.ReadLongAsync(LimitsAsync, Cancellation);
        await using var next = database.Open();

        Assert.Equal(((int?)0, "0"), limits);
        Assert.Equal(((int?)null, kind == DatabaseKind.PostgreSql ? "25s" : "0"), await LimitsAsync(next));

        async Task<(int?, string)> LimitsAsync(AperturDb db) => (
            db.Database.GetCommandTimeout(),
            kind == DatabaseKind.Sqlite ? "0"
                : await db.Database.SqlQueryRaw<string>("SELECT current_setting('statement_timeout') AS \"Value\"").SingleAsync(Cancellation));
    }

    [Fact]
    public async Task Sqlite_syncs_every_commit_and_writes_ahead()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var (synchronous, mode) = await app.Services.GetRequiredService<Database>().WriteAsync(
            async db => (
                await db.Database.SqlQueryRaw<int>("SELECT synchronous AS \"Value\" FROM pragma_synchronous").SingleAsync(Cancellation),
                await db.Database.SqlQueryRaw<string>("SELECT journal_mode AS \"Value\" FROM pragma_journal_mode").SingleAsync(Cancellation)),
            Cancellation);

        Assert.Equal((2, "wal"), (synchronous, mode));
    }

    [Fact]
    public async Task Connections_give_up_an_end_that_died_and_keep_what_the_operator_chose()
    {
        await using var postgreSql = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        await using var services = Services(
            postgreSql.ConnectionString + ";Options='-c statement_timeout=7s';Tcp Keepalive Time=99;Application Name=mine");
        await using var db = services.GetRequiredService<Database>().Open();

        Assert.Equal("15", await SettingAsync(db, "tcp_keepalives_idle"));
        Assert.Equal("30000", await SettingAsync(db, "tcp_user_timeout"));
        Assert.Equal("7s", await SettingAsync(db, "statement_timeout"));
        Assert.Equal("mine", await SettingAsync(db, "application_name"));
        Assert.Contains("Tcp Keepalive Time=99", PostgresSession.ConnectionString("Host=x;Tcp Keepalive Time=99"), StringComparison.OrdinalIgnoreCase);
    }

    private static Task<string> SettingAsync(AperturDb db, string name) =>
        db.Database.SqlQuery<string>($"SELECT current_setting({name}) AS \"Value\"").SingleAsync(Cancellation);

    private static ServiceProvider Services(string connectionString)
    {
        var folder = new TempFolder();
        var settings = Settings.Load(folder.Path, new Dictionary<string, string?>
        {
            ["Database:Provider"] = nameof(DatabaseProvider.PostgreSql),
            ["Database:ConnectionString"] = connectionString,
        });
        return new ServiceCollection()
            .AddSingleton(settings)
            .AddSingleton<SessionNotifier>()
            .AddSingleton<AsyncAutoResetEvent>()
            .AddSingleton<Database>()
            .AddSingleton(_ => PostgresSession.Open(connectionString))
            .AddPooledDbContextFactory<AperturDb>((provider, options) => Database.Configure(settings, provider.GetRequiredService<NpgsqlDataSource>(), options))
            .AddSingleton(_ => folder)
            .BuildServiceProvider();
    }
}
