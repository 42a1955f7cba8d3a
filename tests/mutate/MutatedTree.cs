using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Apertur.Mutate;

/// <summary>
/// A copy of the repository that holds all chosen mutants at once, each behind a switch that an environment variable sets. One build serves all.
/// </summary>
internal sealed partial class MutatedTree(string root, string copy, IReadOnlyList<Mutant> mutants)
{
    public const string Variable = "APERTUR_MUTANT";

    /// <summary>Names a file that each process appends the numbers of the mutants to that it comes across.</summary>
    public const string Reached = "APERTUR_MUTANTS_REACHED";

    // Lines from a statement to the last one that may read what it sets.
    private const int Reach = 30;

    private const string Switch = $$"""
        namespace Apertur;
        public static class MutantSwitch
        {
            private static readonly string? _on = System.Environment.GetEnvironmentVariable("{{Variable}}");
            private static readonly string? _file = System.Environment.GetEnvironmentVariable("{{Reached}}");
            private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, bool> _known = new();
            public static bool Is(string number)
            {
                if (_file is not null && _known.TryAdd(number, true))
                    lock (_known) { System.IO.File.AppendAllText(_file + "." + System.Environment.ProcessId, number + "\n"); }
                return number == _on;
            }
            public static T Either<T>(bool on, System.Func<T> without, System.Func<T> same) => on ? without() : same();
        }
        """;

    /// <summary>Those that can be built.</summary>
    public IReadOnlyList<Mutant> Mutants { get; private set; } = mutants;

    public void Build()
    {
        Copy();
        File.WriteAllText(Path.Combine(copy, "src/Apertur.Destinations/MutantSwitch.cs"), Switch);
        // A file whose mutants have all gone is written once more, as it was.
        var files = Mutants.Select(mutant => mutant.File).Distinct().ToList();
        while (true)
        {
            foreach (var file in files)
                File.WriteAllText(Path.Combine(copy, file), Render(file));
            // What is written here need not be in the style of the house.
            var output = Run("dotnet", "build", "tests/Apertur.Tests", "-c", "Release", "-v", "quiet", "--disable-build-servers", "-p:SkipWeb=true", "-p:CompileAhead=false",
                "-p:RunAnalyzers=false", "-p:EnforceCodeStyleInBuild=false", "-p:TreatWarningsAsErrors=false");
            var errors = Error().Matches(output);
            if (errors.Count == 0)
                return;
            var wrong = errors.SelectMany(Causes).ToHashSet();
            if (wrong.Count == 0)
                throw new InvalidOperationException(output);
            Mutants = [.. Mutants.Where(mutant => !wrong.Contains(mutant))];
        }
    }

    private IEnumerable<Mutant> Causes(Match error)
    {
        var file = Path.GetRelativePath(copy, error.Groups["file"].Value);
        var line = int.Parse(error.Groups["line"].Value, CultureInfo.InvariantCulture);
        var there = Mutants.Where(mutant => mutant.File == file && mutant.Line <= line && line <= mutant.LastLine).ToList();
        // A constant made of one that no longer is one, or a variable that nothing sets any more.
        var text = File.ReadLines(Path.Combine(copy, file)).ElementAt(line - 1);
        return there.Count > 0 ? there : Mutants.Where(mutant =>
            (mutant.Says.EndsWith("=>  + 1", StringComparison.Ordinal) && text.Contains(mutant.Says.Split(' ')[0], StringComparison.Ordinal))
            || (mutant.File == file && mutant.Line <= line && line <= mutant.LastLine + Reach));
    }

    private string Render(string file)
    {
        var text = File.ReadAllText(Path.Combine(root, file));
        var here = Mutants.Where(mutant => mutant.File == file).OrderBy(mutant => mutant.Start).ThenByDescending(mutant => mutant.Length);
        return Render(text, 0, text.Length, here);
    }

    private static string Render(string text, int start, int end, IEnumerable<Mutant> mutants)
    {
        var rendered = new StringBuilder();
        var waiting = new Queue<Mutant>(mutants);
        while (waiting.TryDequeue(out var mutant))
        {
            var inside = new List<Mutant>();
            while (waiting.TryPeek(out var next) && next.Start < mutant.End)
                inside.Add(waiting.Dequeue());
            rendered.Append(text, start, mutant.Start - start)
                .Append(mutant.Wrap($"global::Apertur.MutantSwitch.Is(\"{mutant.Number}\")", Render(text, mutant.Start, mutant.End, inside)));
            start = mutant.End;
        }

        return rendered.Append(text, start, end - start).ToString();
    }

    private void Copy()
    {
        var built = Directory.EnumerateFiles(Path.Combine(root, "src/Apertur.Server/wwwroot"), "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(root, path));
        var files = Run("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var file in files.Concat(built).Where(file => File.Exists(Path.Combine(root, file))))
        {
            var target = Path.Combine(copy, file);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(Path.Combine(root, file), target);
        }

        foreach (var modules in Directory.EnumerateDirectories(Path.Combine(root, "tests"), "node_modules", SearchOption.AllDirectories).Take(1))
            Directory.CreateSymbolicLink(Path.Combine(copy, Path.GetRelativePath(root, modules)), modules);
        // Tests ask git which files there are.
        Run("git", "init", "--quiet");
    }

    private string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = copy, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }

    [GeneratedRegex(@"^\s*(?<file>/[^(]+)\((?<line>\d+),\d+\): error ", RegexOptions.Multiline)]
    private static partial Regex Error();
}
