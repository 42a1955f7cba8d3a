using System.Diagnostics;
using System.Globalization;

namespace Apertur.Mutate;

/// <summary>Runs an area's tests with one mutant after another: those of them that come across it.</summary>
internal sealed class Trials(string folder, bool sqliteOnly)
{
    private readonly Dictionary<string, Group?> _groups = [];

    /// <param name="Test">A part of full names.</param>
    /// <param name="Took">How long those tests take.</param>
    /// <param name="Reached">The mutants that they come across.</param>
    private sealed record Group(string Test, TimeSpan Took, HashSet<string> Reached);

    /// <returns>Those that no test of the area notices.</returns>
    public IEnumerable<Mutant> Try(Area area, IReadOnlyList<Mutant> mutants)
    {
        var groups = area.Tests.Select(Find).OfType<Group>().ToList();
        Console.WriteLine($"{area.Name}: {mutants.Count} changes, {groups.Sum(group => group.Took.TotalSeconds):F0} s for its tests");
        foreach (var mutant in mutants.OrderBy(mutant => mutant.File).ThenBy(mutant => mutant.Line))
        {
            var reaching = groups.Where(group => group.Reached.Contains(mutant.Number.ToString(CultureInfo.InvariantCulture))).ToList();
            var passes = Passes(reaching, mutant);
            Console.WriteLine($"  {(reaching.Count == 0 ? "UNREACHED" : passes ? "SURVIVED " : "noticed  ")} {mutant}");
            if (passes)
                yield return mutant;
        }
    }

    /// <summary>What is known of these tests; null when they fail without any change.</summary>
    private Group? Find(string test)
    {
        if (_groups.TryGetValue(test, out var known))
            return known;
        var (clock, reached) = (Stopwatch.StartNew(), Path.Combine(folder, $"reached-{test}"));
        if (!Passes([test], mutant: null, TimeSpan.FromMinutes(10), bothDatabases: !sqliteOnly, reached))
        {
            Console.WriteLine($"{test} fails without any change. Left out.");
            return _groups[test] = null;
        }

        var files = Directory.GetFiles(folder, Path.GetFileName(reached) + ".*");
        return _groups[test] = new(test, clock.Elapsed, [.. files.SelectMany(File.ReadAllLines)]);
    }

    private bool Passes(IReadOnlyList<Group> groups, Mutant mutant)
    {
        // A change that makes a loop endless is noticed by its tests not ending.
        var limit = (3 * groups.Aggregate(TimeSpan.Zero, (sum, group) => sum + group.Took)) + TimeSpan.FromSeconds(30);
        var tests = groups.Select(group => group.Test).ToList();
        // Most are noticed on SQLite, in half the time.
        return tests.Count == 0
            || (Passes(tests, mutant, limit, bothDatabases: false, reached: null)
                && (sqliteOnly || Passes(tests, mutant, limit, bothDatabases: true, reached: null)));
    }

    private bool Passes(IEnumerable<string> tests, Mutant? mutant, TimeSpan limit, bool bothDatabases, string? reached)
    {
        // `timeout` ends whatever the tests started, too.
        var start = new ProcessStartInfo("timeout",
        [
            "-k", "10", limit.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture),
            "dotnet", Path.Combine(folder, "artifacts/bin/Apertur.Tests/release/Apertur.Tests.dll"),
            "-noLogo", "-noColor", "-noAutoReporters", "-reporter", "quiet", "-stopOnFail", "-maxThreads", "2x",
            .. tests.SelectMany(test => new[] { "-method", $"*{test}*" }),
        ])
        {
            RedirectStandardOutput = true,
        };
        start.Environment[MutatedTree.Variable] = mutant?.Number.ToString(CultureInfo.InvariantCulture);
        start.Environment[MutatedTree.Reached] = reached;
        // A test whose database is not handed over is skipped, but not with CI=true.
        start.Environment["CI"] = bothDatabases ? "true" : "false";
        if (!bothDatabases)
            start.Environment.Remove("APERTUR_TEST_POSTGRES");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (mutant is null && process.ExitCode != 0)
            Console.WriteLine(output);
        return process.ExitCode == 0;
    }
}
