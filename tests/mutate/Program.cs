using System.CommandLine;
using Apertur.Mutate;
using Microsoft.CodeAnalysis.CSharp;

var areas = new Option<string[]>("--area") { Description = $"Only these: {string.Join(", ", Area.All.Select(area => area.Name))}." };
areas.AcceptOnlyFromAmong([.. Area.All.Select(area => area.Name)]);
var count = new Option<int>("--count") { Description = "How many changes to try.", DefaultValueFactory = _ => 60 };
var seed = new Option<int>("--seed") { Description = "Another number tries others.", DefaultValueFactory = _ => 1 };
var rules = new Option<bool>("--rules") { Description = "Leave out whole rules only; numbers and operators stay." };
var at = new Option<string[]>("--at") { Description = "Only in these files or lines of them, as SessionGate.cs or SessionGate.cs:45." };
var sqlite = new Option<bool>("--sqlite") { Description = "On SQLite only: half the time, and PostgreSQL's own statements survive." };
var folder = new Option<string>("--folder") { Description = "Where to build; must be empty.", Required = true };
var command = new RootCommand("Changes the code in one place at a time and runs the tests that should notice.")
{
    areas, count, seed, rules, at, sqlite, folder,
};
command.SetAction(parsed =>
{
    var root = Directory.GetCurrentDirectory();
    var names = parsed.GetValue(areas) ?? [];
    var places = parsed.GetValue(at) ?? [];
    var all = Area.All.Where(area => names.Length == 0 || names.Contains(area.Name))
        .SelectMany(area => Find(area, root, parsed.GetValue(rules)))
        .Where(mutant => places.Length == 0 || places.Any(place => $"{mutant.File}:{mutant.Line}:".Contains($"/{place}:", StringComparison.Ordinal)))
        .ToArray();
    new Random(parsed.GetValue(seed)).Shuffle(all);
    var chosen = all.Take(parsed.GetValue(count)).Select((mutant, index) => mutant with { Number = index + 1 }).ToList();
    Console.WriteLine($"{chosen.Count} of {all.Length} places, seed {parsed.GetValue(seed)}");

    var tree = new MutatedTree(root, parsed.GetValue(folder)!, chosen);
    tree.Build();
    // With the number of one in the variable, any test can be run against it by hand.
    File.WriteAllLines(Path.Combine(parsed.GetValue(folder)!, "changes"), tree.Mutants.Select(mutant => $"{mutant.Number} {mutant.Area.Name} {mutant}"));
    var trials = new Trials(parsed.GetValue(folder)!, parsed.GetValue(sqlite));
    var survivors = tree.Mutants.GroupBy(mutant => mutant.Area).OrderBy(area => Area.All.Index().First(item => item.Item == area.Key).Index)
        .SelectMany(area => trials.Try(area.Key, [.. area])).ToList();

    Console.WriteLine($"{tree.Mutants.Count} changes tried, {survivors.Count} survived; {chosen.Count - tree.Mutants.Count} could not be built");
    survivors.ForEach(mutant => Console.WriteLine($"  {mutant.Area.Name}: {mutant}"));
});
return command.Parse(args).Invoke();

static IEnumerable<Mutant> Find(Area area, string root, bool rules) => area.Files.Select(file => Path.Combine(root, "src", file))
    .SelectMany(path => Directory.Exists(path) ? Directory.GetFiles(path, "*.cs") : [path])
    .Select(path => new MutantFinder(Path.GetRelativePath(root, path), CSharpSyntaxTree.ParseText(File.ReadAllText(path)).GetRoot()))
    .SelectMany(finder => rules ? finder.Rules() : finder.Rules().Concat(finder.Details()))
    .Select(mutant => mutant with { Area = area });
