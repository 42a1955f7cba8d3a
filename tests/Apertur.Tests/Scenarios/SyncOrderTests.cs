using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>The order in which a server's system calls make a photo durable and acknowledge it, as <c>strace</c> sees them.</summary>
public sealed partial class SyncOrderTests(ITestOutputHelper output)
{
    private const int PerSession = 400;

    private static readonly Step[] _promised = [Step.PhotoSynced, Step.FolderSynced, Step.Committed, Step.Acknowledged];

    private enum Step
    {
        PhotoSynced,
        FolderSynced,
        Committed,
        Acknowledged,
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public Task Photo_is_synced_and_its_folder_and_its_row_committed_before_it_is_acknowledged(DatabaseKind database) => RunAsync(database, photos: 5);

    /// <summary>The same for more photos; see chaos/README.md.</summary>
    [Theory(Explicit = true), AllDatabases]
    public Task Figures(DatabaseKind database) =>
        RunAsync(database, int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS") ?? "1000", CultureInfo.InvariantCulture));

    private async Task RunAsync(DatabaseKind kind, int photos)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        using var data = new TempFolder();
        if (kind == DatabaseKind.PostgreSql)
        {
            var settings = new JsonObject { ["Provider"] = "PostgreSql", ["ConnectionString"] = database.ConnectionString, ["AllowDataLoss"] = true };
            await File.WriteAllTextAsync(data.File("apertur.json"), new JsonObject { ["Database"] = settings }.ToJsonString(), Cancellation);
        }

        await using var server = await AperturProcess.ServeAsync(data.Path, await AperturProcess.InitAsync(data.Path));
        var sessions = new List<string>();
        while (sessions.Count * PerSession < photos)
            sessions.Add(await server.Client.CreateSessionAsync(new JsonObject { ["max_images"] = PerSession + 1 }));
        // It makes the folder of the day.
        await server.Client.UploadAsync(sessions[0], Photos.Png());
        var strace = Process.Start(new ProcessStartInfo(
            Components.Program("strace"),
            ["-f", "-y", "-q", "-s", "4096", "-o", data.File("calls"), "-e", "trace=fsync,fdatasync,sendto,sendmsg,recvfrom,recvmsg", "-p", $"{server.Id}"])
        { RedirectStandardError = true })!;
        await Eventually.True(() => Directory.GetDirectories($"/proc/{server.Id}/task").All(thread =>
            File.ReadAllLines(Path.Combine(thread, "status")).Contains($"TracerPid:\t{strace.Id}")));

        var began = Stopwatch.GetTimestamp();
        for (var photo = 0; photo < photos; photo++)
            await server.Client.UploadAsync(sessions[photo / PerSession], Photos.Png());
        var took = Stopwatch.GetElapsedTime(began);

        await server.KillAsync();
        await strace.WaitForExitAsync(Cancellation);
        strace.Dispose();
        var orders = Orders(await File.ReadAllLinesAsync(data.File("calls"), Cancellation));
        foreach (var order in orders.CountBy(order => order))
            output.WriteLine($"> {kind}: {order.Key}: {order.Value} of {photos} photos, in {took.TotalSeconds:F0} s");
        Assert.Equal(Enumerable.Repeat(string.Join(", ", _promised), photos), orders);
    }

    /// <summary>For each acknowledgement, which of the promised steps were taken since the one before, each begun after the one before it had ended.</summary>
    private static List<string> Orders(string[] calls)
    {
        var unfinished = new Dictionary<string, (Step Step, int Began)>();
        var orders = new List<string>();
        var taken = new List<Step>();
        var ended = 0;
        for (var line = 0; line < calls.Length; line++)
        {
            var thread = calls[line].Split(' ')[0];
            if (Resumed().IsMatch(calls[line]))
            {
                // What a receiving call has got is told at its end.
                if (unfinished.Remove(thread, out var call))
                    End(call.Step, call.Began, line);
                else if (Of(calls[line]) is Step.Committed)
                    End(Step.Committed, line, line);
            }
            else if (Of(calls[line]) is { } step)
            {
                if (step == Step.Acknowledged || !calls[line].EndsWith("<unfinished ...>", StringComparison.Ordinal))
                    End(step, line, line);
                else
                    unfinished[thread] = (step, line);
            }
        }

        return orders;

        void End(Step step, int began, int line)
        {
            if (taken.Count < _promised.Length && step == _promised[taken.Count] && began >= ended)
            {
                taken.Add(step);
                ended = line;
            }

            if (step != Step.Acknowledged)
                return;
            orders.Add(string.Join(", ", taken));
            taken.Clear();
        }
    }

    private static Step? Of(string call) =>
        Acknowledgement().IsMatch(call) ? Step.Acknowledged
        : Commit().IsMatch(call) ? Step.Committed
        : PhotoSync().IsMatch(call) ? Step.PhotoSynced
        : FolderSync().IsMatch(call) ? Step.FolderSynced
        : null;

    [GeneratedRegex(@"^\d+ +<\.\.\. \w+ resumed>")]
    private static partial Regex Resumed();

    [GeneratedRegex(@" f(data)?sync\(\d+<[^>]*/images/[-\d]{10}/[-0-9a-f]{36}>")]
    private static partial Regex PhotoSync();

    [GeneratedRegex(@" f(data)?sync\(\d+<[^>]*/images/[-\d]{10}>")]
    private static partial Regex FolderSync();

    // SQLite's log, or PostgreSQL's word, which comes with those for the last statements.
    [GeneratedRegex(@" f(data)?sync\(\d+<[^>]*/apertur\.db-wal>|\brecv(from|msg)\b.*C\\0\\0\\0\\vCOMMIT\\0")]
    private static partial Regex Commit();

    [GeneratedRegex(@" send(to|msg)\(.*HTTP/1\.1 201 ")]
    private static partial Regex Acknowledgement();
}
