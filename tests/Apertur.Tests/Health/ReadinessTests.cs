using System.Net;
using Apertur.Server.Health;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Health;

/// <summary>What <c>readyz</c> tells, and what asking costs.</summary>
public sealed class ReadinessTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Checks_run_once_for_all_who_ask_within_a_few_seconds(DatabaseKind database)
    {
        var check = new Check();
        await using var app = await StartAsync(database, check);

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => app.Client.GetAsync("/readyz")));
        Assert.Equal(1, check.Looks);

        app.Clock.Advance(Readiness.Freshness);
        (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.OK);
        Assert.Equal(2, check.Looks);
    }

    [Theory, AllDatabases]
    public async Task Problem_is_told_by_the_name_of_its_check_and_refuses_only_when_photos_cannot_be_taken(DatabaseKind database)
    {
        var check = new Check { Found = new ReadinessProblem("Look at the bulb.", null) };
        await using var app = await StartAsync(database, check);

        Tells((await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.OK));

        check.Found = new ReadinessProblem("Look at the bulb.", ApiErrors.Unavailable);
        app.Clock.Advance(Readiness.Freshness);
        var refused = (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.ServiceUnavailable);
        Assert.Equal("SERVICE_UNAVAILABLE", (string)refused.Json["code"]!);
        Tells(refused);

        check.Found = null;
        app.Clock.Advance(Readiness.Freshness);
        Assert.Equal("""{"status":"ok"}""", (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.OK).Text);

        static void Tells(Answer answer)
        {
            var problem = Assert.Single(answer.Json["problems"]!.AsArray())!;
            Assert.Equal(("lamp", "Look at the bulb."), ((string)problem["check"]!, (string)problem["detail"]!));
        }
    }

    [Theory, AllDatabases]
    public async Task Check_that_hangs_is_a_problem_after_a_while(DatabaseKind database)
    {
        var check = new Check { Hangs = true };
        await using var app = await StartAsync(database, check);

        var answer = app.Client.GetAsync("/readyz");
        await Eventually.True(() => check.Looks == 1);
        app.Clock.Advance(Readiness.Longest);

        var refused = (await answer).Expect(HttpStatusCode.ServiceUnavailable);
        Assert.Contains(refused.Json["problems"]!.AsArray(), problem => (string)problem!["check"]! == "lamp");
    }

    [Fact]
    public async Task Damaged_file_of_the_database_is_noticed()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.OK);
        await app.Services.GetRequiredService<Database>().Open().Database.ExecuteSqlRawAsync("PRAGMA wal_checkpoint(TRUNCATE)", Cancellation);
        // The root page of a table, which no request below reads.
        await using (var file = File.OpenWrite(Path.Combine(app.DataFolder, "apertur.db")))
        {
            file.Position = await RootPageAsync(app, "oauth_requests");
            await file.WriteAsync(new byte[64], Cancellation);
        }

        app.Clock.Advance(TimeSpan.FromMinutes(1));
        var refused = (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.ServiceUnavailable);

        Assert.Equal("database", (string)refused.Json["problems"]![0]!["check"]!);
        Assert.Contains("damaged", (string)refused.Json["problems"]![0]!["detail"]!, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Damage_that_a_statement_met_is_told_until_it_is_known_to_be_gone(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var damage = app.Services.GetRequiredService<DatabaseDamage>();

        damage.Note(new DbUpdateException("…", database == DatabaseKind.Sqlite
            ? new SqliteException("database disk image is malformed", 11)
            : new PostgresException("invalid page in block 7", "ERROR", "ERROR", PostgresErrorCodes.DataCorrupted)));

        if (database == DatabaseKind.PostgreSql)
        {
            (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.ServiceUnavailable);
            app.Clock.Jump(DatabaseDamage.Remembered);
        }

        // SQLite looks at its whole file at once, and finds nothing.
        (await app.Client.GetAsync("/readyz")).Expect(HttpStatusCode.OK);
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database, IReadinessCheck check) =>
        AperturApp.StartAsync(database, configure: services => services.AddSingleton(check));

    private static async Task<long> RootPageAsync(AperturApp app, string table)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var root = await db.Database.SqlQuery<long>($"SELECT rootpage AS Value FROM sqlite_master WHERE name = {table}").SingleAsync(Cancellation);
        var size = await db.Database.SqlQueryRaw<long>("SELECT page_size AS Value FROM pragma_page_size").SingleAsync(Cancellation);
        return (root - 1) * size;
    }

    private sealed class Check : IReadinessCheck
    {
        private int _looks;

        public int Looks => Volatile.Read(ref _looks);

        public ReadinessProblem? Found { get; set; }

        public bool Hangs { get; set; }

        public string Name => "lamp";

        public Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _looks);
            return Hangs ? new TaskCompletionSource<ReadinessProblem?>().Task : Task.FromResult(Found);
        }
    }
}
