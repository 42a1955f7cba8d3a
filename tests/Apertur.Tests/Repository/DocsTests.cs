using System.Text.RegularExpressions;

namespace Apertur.Tests.Repository;

public sealed partial class DocsTests
{
    private static IEnumerable<string> Docs => RepositoryFiles.All.Where(path => path.EndsWith(".md", StringComparison.Ordinal));

    private static readonly HashSet<string> _folders = [.. RepositoryFiles.All.Where(path => path.Contains('/')).Select(path => path.Split('/')[0])];

    [Fact]
    public void Docs_name_only_files_that_exist()
    {
        var missing =
            from doc in Docs
            from Match name in Quoted().Matches(Fence().Replace(RepositoryFiles.Read(doc), ""))
            let path = name.Groups[1].Value
            where LooksLikeOurs(path) && !Exists(doc, path)
            select $"{doc}: {path}";

        Assert.Empty(missing);
    }

    [Fact]
    public void Links_between_docs_lead_somewhere()
    {
        var missing =
            from doc in Docs
            from Match link in Link().Matches(Fence().Replace(RepositoryFiles.Read(doc), ""))
            let path = link.Groups[1].Value
            where !path.Contains(':', StringComparison.Ordinal) && !Exists(doc, path)
            select $"{doc}: {path}";

        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("`src/No/Such.cs`")]
    [InlineData("`NoSuch.cs`")]
    [InlineData("`./no-such`")]
    public void Name_of_a_missing_file_is_noticed(string text)
    {
        var path = Quoted().Match(text).Groups[1].Value;

        Assert.True(LooksLikeOurs(path));
        Assert.False(Exists("README.md", path));
    }

    /// <summary>A path that starts in one of our folders or with <c>./</c>, or the bare name of a source file; <c>./data</c> is made by running.</summary>
    private static bool LooksLikeOurs(string path) =>
        !path.StartsWith("./data", StringComparison.Ordinal)
        && (path.StartsWith("./", StringComparison.Ordinal)
            || (path.Contains('/', StringComparison.Ordinal) && _folders.Contains(path.Split('/')[0]))
            || SourceName().IsMatch(path));

    private static bool Exists(string doc, string path)
    {
        var relative = path.StartsWith("./", StringComparison.Ordinal) ? path[2..] : path;
        var beside = Path.Combine(RepositoryFiles.Root, Path.GetDirectoryName(doc)!, relative);
        return Path.Exists(beside)
            || Path.Exists(Path.Combine(RepositoryFiles.Root, relative))
            || RepositoryFiles.All.Any(file => file.EndsWith($"/{relative}", StringComparison.Ordinal));
    }

    [GeneratedRegex("^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"`((?:\./)?[\w.-]+(?:/[\w.-]+)*/?)(?: [^`]*)?`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\]\(([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^[\w/-]+(?:\.[\w-]+)*\.(?:cs|csproj|slnx|props|ts|tsx|css|html|sql|md|ya?ml|sh)$")]
    private static partial Regex SourceName();
}
