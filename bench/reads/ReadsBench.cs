using System.Data.Common;
using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Apertur.Bench.Reads;

/// <summary>
/// Lists and statistics over few photos and over many, spread over 300 days and all in one: what pages of the dashboard ask for first. The rows are
/// written into the database itself.
/// </summary>
internal static class ReadsBench
{
    private const int PageSize = 20;
    private const long Day = 86_400_000;

    private const int PerSession = 10;

    // What the ids of each table are told apart by; each destination's deliveries have one of their own.
    private const int Sessions = 1, Uploads = 2, Deliveries = 3;

    // What failed lately counts too.
    private static readonly int _lastDay = (int)(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() / 86_400) - 1;

    public static void Run(Setup setup)
    {
        var installation = setup.Install();
        using var ours = installation.Serve();
        // Photos arrive at the first, failed at the second and wait for the third; switched off, so that nobody takes them up.
        ours.Destinations = [.. Enumerable.Range(0, 3).Select(_ => ours.CreateWebhook("http://127.0.0.1:9/", "binary"))];
        ours.SwitchDestinations(false);
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
                Fill(database, installation.Project, ours.Destinations, rows, days);
            var last = rows / PageSize;
            var (photo, session) = (Id(Uploads, rows / 2), Id(Sessions, rows / 2 / PerSession));
            var project = $"/projects/{installation.Project}";
            return
            [
                .. new (string Name, string Path)[]
                {
                    ("first page", "/uploads?pageSize=20"), ("page in the middle", $"/uploads?pageSize=20&page={(last / 2) + 1}"),
                    ("last page", $"/uploads?pageSize=20&page={last}"), ("recent", "/uploads/recent"), ("stats", "/stats"), ("stats by day", "/stats/daily"),
                    ("status delivered", "/uploads?status=delivered"), ("status pending", "/uploads?status=pending"), ("status failed", "/uploads?status=failed"),
                    ("status partial", "/uploads?status=partial"), ("source of few", "/uploads?source=box"),
                    ("a name of none", "/uploads?q=none"), ("a photo's id", $"/uploads?q={photo}"), ("a session's id", $"/uploads?q={session}"),
                    ("of a session", $"/uploads?sessionId={session}"), ("of a destination", $"/uploads?destinationId={ours.Destinations[0]}"),
                    ("arrived there", $"/uploads?destinationId={ours.Destinations[0]}&status=delivered"),
                    ("failed there", $"/uploads?destinationId={ours.Destinations[0]}&status=failed"),
                    ("sessions", "/sessions"), ("sessions by label", "/sessions?q=none"),
                    ("dead letters", $"{project}/deliveries"), ("health", $"{project}/destination-health"),
                    ("attempts", $"/uploads/{photo}/destinations/{ours.Destinations[0]}/attempts"),
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

    private static void Fill(DbConnection database, string project, IReadOnlyList<string> destinations, int rows, int days)
    {
        var isPostgres = database is NpgsqlConnection;
        var step = days * Day / rows;
        foreach (var table in new[] { "deliveries", "uploads", "sessions", "daily_counts", "minute_counts" })
            Execute(database, isPostgres ? $"TRUNCATE {table} CASCADE" : $"DELETE FROM {table}");
        var at = At(step);
        Insert(rows / PerSession, $"""
            sessions (id, project_id, env, label, destination_ids, destinations_count, long_polling, max_images, allowed_mime_types, max_image_size_mb,
              created_at, expires_at, last_changed, next_index, images_count)
            SELECT {IdOf(Sessions, "n")}, '{project}', 'live', 'Session ' || n, '[]', 0, FALSE, {PerSession}, '[]', 20,
              {At(step * PerSession)}, {At(step * PerSession)} + {Day}, 1, {PerSession}, {PerSession}
            """);
        Insert(rows, $"""
            uploads (id, session_id, project_id, env, image_index, filename, size_bytes, mime_type, source, sha256, is_encrypted,
              destination_types, destinations_total, destinations_delivered, destinations_failed, created_at)
            SELECT {IdOf(Uploads, "n")}, {IdOf(Sessions, $"n / {PerSession}")}, '{project}', 'live', n % {PerSession}, 'photo.jpg', 1, 'image/jpeg', 'camera',
              '{new string('0', 64)}', FALSE, '[]', CASE WHEN n % 10 < 2 THEN 2 ELSE 1 END, 1, CASE WHEN n % 10 = 0 THEN 1 ELSE 0 END, {at}
            """);
        foreach (var (which, state, where) in new[] { (0, "sent", "TRUE"), (1, "failed", "n % 10 = 0"), (2, "retrying", "n % 10 = 1") })
        {
            Insert(rows, $"""
                deliveries (id, upload_id, session_id, destination_id, destination_type, destination_name, state, attempts, due_at, last_error,
                  created_at, updated_at, received_at)
                SELECT {IdOf(Deliveries + which, "n")}, {IdOf(Uploads, "n")}, {IdOf(Sessions, $"n / {PerSession}")}, '{destinations[which]}', 'webhook', '{state}',
                  '{state}', 1, {at}, 'It did not arrive.', {at}, {at}, {at}
                """, where);
        }

        foreach (var (table, period, length) in new[] { ("daily_counts", "day", Day), ("minute_counts", "minute", 60_000L) })
        {
            Execute(
                database,
                $"""
                INSERT INTO {table} (project_id, env, {period}, images)
                SELECT project_id, env, CAST(created_at / {length} AS INTEGER), count(*) FROM uploads GROUP BY 1, 2, 3
                """);
            Execute(
                database,
                $"""
                INSERT INTO {table} (project_id, env, {period}, sessions)
                SELECT project_id, env, CAST(created_at / {length} AS INTEGER), count(*) FROM sessions WHERE TRUE GROUP BY 1, 2, 3
                ON CONFLICT (project_id, env, {period}) DO UPDATE SET sessions = excluded.sessions
                """);
        }

        Execute(database, "UPDATE daily_counts SET images_delivered = images");
        // PostgreSQL does that by itself, a little later. Nobody does it to SQLite, which plans without knowing what is how often there.
        if (isPostgres)
            Execute(database, "VACUUM ANALYZE");

        string At(long each) => $"CAST({_lastDay - days + 1} AS BIGINT) * {Day} + CAST(n AS BIGINT) * {each}";

        void Insert(int count, string into, string where = "TRUE")
        {
            var numbers = $"WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count - 1})";
            Execute(database, $"{numbers} INSERT INTO {into} FROM numbers WHERE {where}");
        }
    }

    private static string Id(int table, int n) => $"019a000{table}-0000-7000-8000-{100_000_000_000 + n}";

    private static string IdOf(int table, string n) => $"'019a000{table}-0000-7000-8000-' || CAST(100000000000 + {n} AS TEXT)";

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
