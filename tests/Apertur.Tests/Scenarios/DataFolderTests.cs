using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>One folder belongs to one server and one installation.</summary>
public sealed class DataFolderTests
{
    [Fact]
    public async Task Second_server_on_the_same_folder_is_refused_in_words()
    {
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        await using var server = await AperturProcess.ServeAsync(data.Path, installation);

        var (exitCode, output, errors) = await AperturProcess.RunAsync("serve", "--data", data.Path, "--urls", "http://127.0.0.1:0");

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains("Another server is running on", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Second_init_is_refused_and_changes_nothing()
    {
        using var data = new TempFolder();
        await AperturProcess.InitAsync(data.Path);

        var (exitCode, output, errors) = await AperturProcess.RunAsync(
            "init", "--data", data.Path, "--email", "other@example.com", "--password", "correct horse", "--project", "Other", "--json");

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains("has an owner already", errors, StringComparison.Ordinal);
    }
}
