using System.Diagnostics;

namespace Apertur.Tests.Repository;

/// <summary>The files that are, or would be, committed.</summary>
internal static class RepositoryFiles
{
    private static readonly HashSet<string> _pictures = [".jpg", ".png", ".webp", ".heic", ".ico", ".woff2"];

    public static string Root { get; } = FindRoot();

    /// <summary>Paths from the root, with <c>/</c>.</summary>
    public static IReadOnlyList<string> All { get; } = List();

    public static IEnumerable<string> Texts => All.Where(path => !_pictures.Contains(Path.GetExtension(path)));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    public static string Git(params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return output;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Apertur.slnx")))
            folder = folder.Parent ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        return folder.FullName;
    }

    // A file that was deleted, and not yet committed so, is still listed.
    private static List<string> List() =>
        [.. Git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
            .Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Where(path => File.Exists(Path.Combine(Root, path)))];
}
