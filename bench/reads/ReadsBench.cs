using System.Data.Common;
using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Apertur.Bench.Reads;

/// <summary>Lists and statistics over few photos and over many, spread over 300 days and all in one. The rows are written into the database itself.</summary>
internal static class ReadsBench
{
    private const int PageSize = 20;
    private const long Day = 86_400_000;

    // The first day of 2026, in days since 1970.
    private const int LastDay = 20_454;

    public static void Run(Setup setup)
    {
        var installation = setup.Install();
        using var ours = installation.Serve();
        var session = ours.Call("POST", "/upload-sessions", "{}").GetProperty("id").GetString()!;
        foreach (var days in new[] { 300, 1 })
        {
            var few = Measure(setup["few"], days);
            var many = Measure(setup["many"], days);
            Console.WriteLine($"{setup["few"],9} ms {setup["many"],9} ms   ratio: median of {setup["rounds"]}, over {days} day(s)");
            foreach (var ((name, before), (_, after)) in few.Zip(many))
                Console.WriteLine($"{before,12:F2} {after,12:F2} {after / before,7:F2}   {name}");
        }

        List<(string Name, double Milliseconds)> Measure(int rows, int days)
        {
            using (var database = Open(installation))
                Fill(database, installation.Project, session, rows, days);
            var last = rows / PageSize;
            return
            [
                .. new (string Name, string Path)[]
                {
                    ("first page", "/uploads?pageSize=20"), ("page in the middle", $"/uploads?pageSize=20&page={(last / 2) + 1}"),
                    ("last page", $"/uploads?pageSize=20&page={last}"), ("recent", "/uploads/recent"), ("stats", "/stats"), ("stats by day", "/stats/daily"),
                }.Select(each => (each.Name, Time(ours, each.Path, setup["rounds"]))),
            ];
        }
    }

    private static double Time(Ours ours, string path, int rounds)
    {
        using var connection = new Connection(ours.Port);
        var request = ours.Get(path);
        var milliseconds = new List<double>();
        for (var round = -2; round < rounds; round++)
        {
            var began = Stopwatch.GetTimestamp();
            connection.Send([request]);
            connection.Receive();
            if (round >= 0)
                milliseconds.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        return Figures.Median(milliseconds);
    }

    private static DbConnection Open(Installation installation)
    {
        DbConnection connection = installation.Postgres is { } postgres
            ? new NpgsqlConnection(postgres)
            : new SqliteConnection($"Data Source={Path.Combine(installation.Data, "apertur.db")};Default Timeout=600");
        connection.Open();
        return connection;
    }

    private static void Fill(DbConnection database, string project, string session, int rows, int days)
    {
        var isPostgres = database is NpgsqlConnection;
        var step = days * Day / rows;
        Execute(database, isPostgres ? "TRUNCATE uploads CASCADE" : "DELETE FROM uploads");
        Execute(database, "DELETE FROM daily_counts");
        Execute(database, "DELETE FROM minute_counts");
        Execute(
            database,
            $"""
            WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows - 1})
            INSERT INTO uploads (id, session_id, project_id, env, image_index, filename, size_bytes, mime_type, source, sha256, is_encrypted,
              destination_types, destinations_total, created_at)
            SELECT '019a0000-0000-7000-8000-' || CAST(100000000000 + n AS TEXT), '{session}', '{project}', 'live', n, 'photo.jpg', 1, 'image/jpeg', 'camera',
              '{new string('0', 64)}', FALSE, '[]', 0, CAST({LastDay - days + 1} AS BIGINT) * {Day} + CAST(n AS BIGINT) * {step}
            FROM numbers
            """);
        foreach (var (table, period, length) in new[] { ("daily_counts", "day", Day), ("minute_counts", "minute", 60_000L) })
        {
            Execute(
                database,
                $"""
                INSERT INTO {table} (project_id, env, {period}, images)
                SELECT project_id, env, CAST(created_at / {length} AS INTEGER), count(*) FROM uploads GROUP BY 1, 2, 3
                """);
        }

        Execute(database, "ANALYZE");
    }

    private static void Execute(DbConnection database, string sql)
    {
        using var command = database.CreateCommand();
        command.CommandTimeout = 600;
#pragma warning disable CA2100 // Nothing in it comes from elsewhere.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
