using System.Text.RegularExpressions;

namespace Apertur.Tests.Repository;

/// <summary>The repository works wherever it is cloned.</summary>
public sealed partial class PortabilityTests
{
    [Fact]
    public void No_text_holds_a_path_of_one_machine() => Assert.Empty(LinesWith(MachinePath()));

    [Fact]
    public void No_text_names_the_host_of_a_package_registry() => Assert.Empty(LinesWith(RegistryHost()));

    [Fact]
    public void Tests_install_packages_of_the_system_from_the_one_list_only() =>
        Assert.All(
            LinesWith(AptInstall()).Where(line => !line.StartsWith("bench/", StringComparison.Ordinal)),
            line => Assert.StartsWith("test:", line));

    [Fact]
    public void Every_package_of_the_system_says_what_it_is_for()
    {
        var lines = RepositoryFiles.Read("tests/debian-packages.txt").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith('#'));

        Assert.All(lines, line => Assert.Matches(@"^[a-z0-9][a-z0-9.+-]+ +\S.*$", line));
    }

    [Theory]
    [InlineData("run")]
    [InlineData("test")]
    [InlineData(".ci/run")]
    public void Commands_can_be_executed(string path) =>
        Assert.StartsWith("100755 ", RepositoryFiles.Git("ls-files", "--stage", path));

    [Theory]
    [InlineData("see /home/" + "me/x")]
    [InlineData("\"/" + "Users/me\"")]
    [InlineData("from /work" + "/main")]
    public void Path_of_a_machine_is_noticed(string line) => Assert.Matches(MachinePath(), line);

    private static IEnumerable<string> LinesWith(Regex pattern) =>
        from path in RepositoryFiles.Texts
        where !path.EndsWith("package-lock.json", StringComparison.Ordinal)
        from line in RepositoryFiles.Read(path).Split('\n')
        where pattern.IsMatch(line)
        select $"{path}: {line.Trim()}";

    [GeneratedRegex(@"(?<![\w.}])/(?:work|home|root|Users)/\w")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"(?:npm|nuget|debian)[a-z]*\.(?:org|com)", RegexOptions.IgnoreCase)]
    private static partial Regex RegistryHost();

    [GeneratedRegex(@"apt(?:-get)?\s+install")]
    private static partial Regex AptInstall();
}
