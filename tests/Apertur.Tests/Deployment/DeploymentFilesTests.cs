using System.Text.RegularExpressions;
using Apertur.Server;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.Extensions.Configuration;

namespace Apertur.Tests.Deployment;

/// <summary>What can be known of <c>deploy/</c> without an engine to run it.</summary>
public sealed partial class DeploymentFilesTests
{
    private static readonly string[] _files = ["deploy/compose.yaml", "deploy/kubernetes.yaml", "deploy/apertur.service", "deploy/Dockerfile", "docs/deployment.md"];

    /// <summary>What stands for a value that its reader gives.</summary>
    private static readonly Dictionary<string, string> _given = new()
    {
        ["APERTUR__Database__ConnectionString"] = "Host=database;Database=apertur",
        ["APERTUR__Storage__S3__AccessKeyId"] = "id",
        ["APERTUR__Storage__S3__SecretAccessKey"] = "secret",
        ["APERTUR__Keys__WrappingKey"] = "key",
    };

    [Theory]
    [InlineData("deploy/compose.yaml")]
    [InlineData("deploy/kubernetes.yaml")]
    public void Server_takes_the_settings_of_a_deployment_together(string file)
    {
        using var data = new TempFolder();
        var settings = Variable().Matches(RepositoryFiles.Read(file)).ToDictionary(
            match => match.Groups["name"].Value["APERTUR__".Length..].Replace("__", ":", StringComparison.Ordinal),
            match => _given.GetValueOrDefault(match.Groups["name"].Value, match.Groups["value"].Value.Trim('"')));

        var loaded = Settings.Load(data.Path, settings!);

        Assert.Equal((DatabaseProvider.PostgreSql, StorageKind.S3, KeysPlace.Database), (loaded.Database.Provider, loaded.Storage.Kind, loaded.Keys.Place));
        Assert.True(settings.Count >= 12);
    }

    [Fact]
    public void Every_setting_that_a_deployment_names_exists()
    {
        using var defaults = typeof(Settings).Assembly.GetManifestResourceStream("apertur.defaults.json")!;
        var known = new ConfigurationBuilder().AddJsonStream(defaults).Build();
        var named = (from file in _files from Match name in Name().Matches(RepositoryFiles.Read(file)) select name.Groups[1].Value).Distinct().ToList();

        Assert.NotEmpty(named);
        Assert.All(named.Where(name => name != "Section__Key"), name => Assert.NotNull(known[name.Replace("__", ":", StringComparison.Ordinal)]));
    }

    [Fact]
    public async Task Files_for_compose_and_Kubernetes_are_yaml_whose_names_lead_somewhere()
    {
        // Debian's own, which has the module that is installed with it.
        var python = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : Components.Program("python3");
        await Shell.RunAsync($"cd '{RepositoryFiles.Root}' && {python} tests/Apertur.Tests/Deployment/follow_names.py deploy/compose.yaml deploy/kubernetes.yaml");
    }

    /// <summary>What <c>./run publish</c> reads, which is what the Dockerfile runs.</summary>
    [Fact]
    public void Image_is_built_of_everything_that_the_build_reads()
    {
        var left = RepositoryFiles.Read(".dockerignore").Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#').ToList();
        var read = RepositoryFiles.All.Where(path =>
            path.Split('/')[0] is "src" or "web" or "scripts" or "run" or "docs" || (!path.Contains('/') && Path.GetExtension(path) is ".props" or ".targets" or ".txt" or ".json" or ".editorconfig"));

        Assert.All(read, path => Assert.DoesNotContain(left, pattern => pattern.StartsWith("**/", StringComparison.Ordinal)
            ? path.Split('/').Contains(pattern[3..])
            : path == pattern || path.StartsWith(pattern + "/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Unit_is_accepted_by_systemd_and_leaves_little_exposed()
    {
        var analyze = Components.Program("systemd-analyze");
        using var folder = new TempFolder();
        // It looks for the program and for the user, too.
        var unit = RepositoryFiles.Read("deploy/apertur.service").Replace("/opt/apertur/apertur", "/bin/true", StringComparison.Ordinal);
        await File.WriteAllTextAsync(folder.File("apertur.service"), unit, TestContext.Current.CancellationToken);

        var said = await Shell.RunAsync($"{analyze} verify {folder.File("apertur.service")} 2>&1");
        Assert.Equal("", said);
        await Shell.RunAsync($"{analyze} security --offline=yes --threshold=20 --no-pager {folder.File("apertur.service")}");
    }

    [Fact]
    public void Image_has_no_root_and_keeps_everything_in_its_data_folder()
    {
        var last = RepositoryFiles.Read("deploy/Dockerfile").Split("\nFROM ")[^1];

        Assert.Contains("-chiseled\n", last, StringComparison.Ordinal);
        Assert.DoesNotContain("RUN ", last, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^USER [1-9]\d*:[1-9]\d*$", last);
        Assert.Contains("""VOLUME ["/data"]""", last, StringComparison.Ordinal);
        Assert.Contains(""""--data", "/data"""", last, StringComparison.Ordinal);
    }

    [GeneratedRegex("""(?:^ +|- name: )(?<name>APERTUR__\w+)(?:: (?<value>\S+))?""", RegexOptions.Multiline)]
    private static partial Regex Variable();

    [GeneratedRegex(@"APERTUR__(\w+)")]
    private static partial Regex Name();
}
