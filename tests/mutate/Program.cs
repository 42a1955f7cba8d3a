using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Apertur.Mutate;
using Microsoft.CodeAnalysis.CSharp;

var areas = new Option<string[]>("--area") { Description = $"Only these: {string.Join(", ", Area.All.Select(area => area.Name))}." };
areas.AcceptOnlyFromAmong([.. Area.All.Select(area => area.Name)]);
var count = new Option<int>("--count") { Description = "How many changes to try.", DefaultValueFactory = _ => 60 };
var seed = new Option<int>("--seed") { Description = "Another number tries others.", DefaultValueFactory = _ => 1 };
var rules = new Option<bool>("--rules") { Description = "Leave out whole rules only; numbers and operators stay." };
var folder = new Option<string>("--folder") { Description = "Where to build; must be empty.", Required = true };
var command = new RootCommand("Changes the code in one place at a time and runs the tests that should notice.") { areas, count, seed, rules, folder };
command.SetAction(parsed => Run(
    parsed.GetValue(areas) ?? [], parsed.GetValue(count), parsed.GetValue(seed), parsed.GetValue(rules), parsed.GetValue(folder)!));
return command.Parse(args).Invoke();

static int Run(string[] areas, int count, int seed, bool rules, string folder)
{
    var root = Directory.GetCurrentDirectory();
    var all = Area.All.Where(area => areas.Length == 0 || areas.Contains(area.Name)).SelectMany(area => Find(area, root, rules)).ToArray();
    var random = new Random(seed);
    random.Shuffle(all);
    var tree = new MutatedTree(root, folder, [.. all.Take(count).Select((mutant, index) => mutant with { Number = index + 1 })]);
    Console.WriteLine($"{Math.Min(count, all.Length)} of {all.Length} places, seed {seed}");
    tree.Build();

    var survivors = new List<Mutant>();
    foreach (var area in tree.Mutants.GroupBy(mutant => mutant.Area))
    {
        var clock = Stopwatch.StartNew();
        if (!Passes(area.Key, null, TimeSpan.FromMinutes(10), folder, bothDatabases: true))
        {
            Console.WriteLine($"{area.Key.Name}: its tests fail without any change. Left out.");
            continue;
        }

        // A change that makes a loop endless is noticed by its tests not ending.
        var limit = (3 * clock.Elapsed) + TimeSpan.FromSeconds(30);
        Console.WriteLine($"{area.Key.Name}: {area.Count()} changes, {clock.Elapsed.TotalSeconds:F0} s for its tests");
        foreach (var mutant in area.OrderBy(mutant => mutant.File).ThenBy(mutant => mutant.Line))
        {
            // Most are noticed on SQLite, in half the time.
            var passes = Passes(area.Key, mutant, limit, folder, bothDatabases: false)
                && Passes(area.Key, mutant, limit, folder, bothDatabases: true);
            Console.WriteLine($"  {(passes ? "SURVIVED" : "noticed ")} {mutant}");
            if (passes)
                survivors.Add(mutant);
        }
    }

    var unbuilt = Math.Min(count, all.Length) - tree.Mutants.Count;
    Console.WriteLine($"{tree.Mutants.Count} changes tried, {survivors.Count} survived; {unbuilt} could not be built");
    survivors.ForEach(mutant => Console.WriteLine($"  {mutant.Area.Name}: {mutant}"));
    return 0;
}

static IEnumerable<Mutant> Find(Area area, string root, bool rules) => area.Files.Select(file => Path.Combine(root, "src", file))
    .SelectMany(path => Directory.Exists(path) ? Directory.GetFiles(path, "*.cs") : [path])
    .Select(path => new MutantFinder(Path.GetRelativePath(root, path), CSharpSyntaxTree.ParseText(File.ReadAllText(path)).GetRoot()))
    .SelectMany(finder => rules ? finder.Rules() : finder.Rules().Concat(finder.Details()))
    .Select(mutant => mutant with { Area = area });

static bool Passes(Area area, Mutant? mutant, TimeSpan limit, string folder, bool bothDatabases)
{
    // `timeout` ends whatever the tests started, too.
    var start = new ProcessStartInfo("timeout",
    [
        "-k", "10", limit.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture),
        "dotnet", Path.Combine(folder, "artifacts/bin/Apertur.Tests/release/Apertur.Tests.dll"),
        "-noLogo", "-noColor", "-noAutoReporters", "-reporter", "quiet", "-stopOnFail", "-maxThreads", "2x",
        .. area.Tests.SelectMany(test => new[] { "-method", $"*{test}*" }),
    ])
    {
        RedirectStandardOutput = true,
    };
    start.Environment[MutatedTree.Variable] = mutant?.Number.ToString(CultureInfo.InvariantCulture);
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
