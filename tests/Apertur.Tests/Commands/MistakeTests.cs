using Apertur.Tests.Support;

namespace Apertur.Tests.Commands;

/// <summary>A mistake on the command line is answered in one line that says what to do, never with a stack trace.</summary>
public sealed class MistakeTests
{
    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    [InlineData("http://127.0.0.1:99999")]
    [InlineData("https://127.0.0.1:6443")]
    public async Task Address_that_is_none_is_refused_in_words(string urls)
    {
        using var data = new TempFolder();

        await ExpectAsync("--urls takes addresses", "serve", "--data", data.Path, "--urls", urls);
    }

    [Fact]
    public async Task Address_of_another_machine_is_refused_in_words()
    {
        using var data = new TempFolder();

        // Set aside for documentation (RFC 5737), so no machine's own.
        await ExpectAsync("cannot listen on that address", "serve", "--data", data.Path, "--urls", "http://203.0.113.9:6080");
    }

    [Fact]
    public async Task Data_folder_that_cannot_be_one_is_refused_in_words()
    {
        using var data = new TempFolder();
        var file = data.File("file");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);

        await ExpectAsync("data folder cannot be used", "serve", "--data", file);
        await ExpectAsync("data folder needs a name", "serve", "--data", "");
    }

    [Theory]
    [InlineData("user", "list")]
    [InlineData("user", "create", "--email", "new@example.com")]
    [InlineData("project", "list")]
    [InlineData("key", "list")]
    [InlineData("keys", "rotate")]
    public async Task Misspelt_data_folder_is_refused_and_not_made(params string[] command)
    {
        using var parent = new TempFolder();
        var data = parent.File("misspelt");

        await ExpectAsync($"There is no installation in {data}", [.. command, "--data", data]);

        Assert.False(Path.Exists(data));
    }

    [Fact]
    public async Task Settings_file_that_is_damaged_is_named()
    {
        using var data = new TempFolder();
        await File.WriteAllTextAsync(data.File("apertur.json"), "{bad", TestContext.Current.CancellationToken);
        await ExpectAsync("apertur.json", "serve", "--data", data.Path);

        await File.WriteAllTextAsync(
            data.File("apertur.json"), """{"Limits":{"MaxImageSizeMb":"abc"}}""", TestContext.Current.CancellationToken);
        await ExpectAsync("Limits:MaxImageSizeMb", "serve", "--data", data.Path);
    }

    [Fact]
    public async Task Database_that_is_not_there_is_named_in_one_line()
    {
        using var data = new TempFolder();
        await File.WriteAllTextAsync(
            data.File("apertur.json"),
            """{"Database":{"Provider":"PostgreSql","ConnectionString":"Host=127.0.0.1;Port=1;Username=x;Password=hidden"}}""",
            TestContext.Current.CancellationToken);

        await ExpectAsync("database cannot be used", "serve", "--data", data.Path, "--urls", "http://127.0.0.1:0");
    }

    [Fact]
    public async Task New_data_folder_belongs_to_its_user_alone()
    {
        using var parent = new TempFolder();
        var data = parent.File("new folder");

        await AperturProcess.InitAsync(data);

        // Windows has no such modes: there the folder inherits its parent's.
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(data));
    }

    [Theory]
    [InlineData("--email", "init", "--json")]
    [InlineData("'nonsense'", "nonsense")]
    [InlineData("--port takes", "demo", "--port", "70000")]
    [InlineData("--port takes", "demo", "--port", "0")]
    [InlineData("'many'", "demo", "--port", "many")]
    public async Task Argument_that_is_wrong_or_missing_puts_nothing_on_standard_output(string words, params string[] arguments)
    {
        var (exitCode, output, errors) = await AperturProcess.RunAsync(arguments);

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains(words, errors);
        Assert.Contains("Usage:", errors);
    }

    private static async Task ExpectAsync(string words, params string[] arguments)
    {
        var (exitCode, _, errors) = await AperturProcess.RunAsync(arguments);
        Assert.Equal(1, exitCode);
        Assert.Contains(words, errors);
        Assert.Single(errors.TrimEnd().Split('\n'));
        Assert.DoesNotContain("hidden", errors);
    }
}
