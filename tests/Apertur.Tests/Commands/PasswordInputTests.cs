using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Commands;

/// <summary>Ways to give a command a password that others on the machine cannot see.</summary>
public sealed class PasswordInputTests
{
    private const string Password = "correct horse é";

    private static readonly string[] _init = ["init", "--email", "owner@example.com", "--project", "Claims", "--json"];

    [Fact]
    public async Task Password_comes_from_standard_input()
    {
        using var data = new TempFolder();

        var (exitCode, output, errors) = await AperturProcess.RunAsync(Password + "\nmore\n", [.. _init, "--password-stdin", "--data", data.Path]);

        await AssertSignsInAsync(data, exitCode, output, errors);
    }

    [Fact]
    public async Task Password_comes_from_the_environment()
    {
        using var data = new TempFolder();

        var (exitCode, output, errors) = await AperturProcess.RunAsync(
            "", [.. _init, "--data", data.Path], Components.Program("env"), $"APERTUR_PASSWORD={Password}");

        await AssertSignsInAsync(data, exitCode, output, errors);
    }

    [Theory]
    [InlineData]
    [InlineData("--password")]
    public async Task Password_is_asked_for_in_a_terminal_and_not_shown(params string[] more)
    {
        using var data = new TempFolder();

        var (exitCode, shown) = await InTerminalAsync(
            [.. _init, .. more, "--data", data.Path],
            ("Password: ", "wrong\u007f\u007f\u007f\u007f\u007f" + Password + "\r"), ("Again: ", Password + "\r"));

        await AssertSignsInAsync(data, exitCode, shown[shown.IndexOf('{', StringComparison.Ordinal)..], shown);
        Assert.DoesNotContain("horse", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_different_passwords_are_refused()
    {
        using var data = new TempFolder();

        var (exitCode, shown) = await InTerminalAsync(
            [.. _init, "--data", data.Path], ("Password: ", Password + "\r"), ("Again: ", "correct mule\r"));

        Assert.Equal(1, exitCode);
        Assert.Contains("two different passwords", shown, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(data.Path));
    }

    [Theory]
    [InlineData("A password is needed", "")]
    [InlineData("A password is needed", "", "--password")]
    [InlineData("no password on standard input", "", "--password-stdin")]
    [InlineData("The password must have", "\n", "--password-stdin")]
    [InlineData("exclude each other", "correct horse\n", "--password-stdin", "--password", "battery staple")]
    public async Task Password_that_cannot_be_had_is_asked_for_in_words(string words, string input, params string[] more)
    {
        using var data = new TempFolder();

        var (exitCode, output, errors) = await AperturProcess.RunAsync(input, [.. _init, .. more, "--data", data.Path]);

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains(words, errors, StringComparison.Ordinal);
        Assert.Single(errors.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Account_gets_the_password_from_standard_input_or_a_link_without_one()
    {
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        string[] create = ["user", "create", "--data", data.Path, "--email"];

        var with = await AperturProcess.RunAsync(Password, [.. create, "second@example.com", "--password-stdin"]);
        var without = await AperturProcess.RunAsync([.. create, "third@example.com"]);

        Assert.True(with.ExitCode == 0, with.Errors);
        Assert.DoesNotContain("Link", with.Output, StringComparison.Ordinal);
        Assert.Contains("Link", without.Output, StringComparison.Ordinal);
        await using var server = await AperturProcess.ServeAsync(data.Path, installation);
        (await server.ClientOf(null).PostAsync("auth/login", new { email = "second@example.com", password = Password })).Expect(HttpStatusCode.OK);
    }

    /// <summary>Runs a command as a person does, who types when asked.</summary>
    /// <returns>What the terminal showed.</returns>
    private static async Task<(int ExitCode, string Shown)> InTerminalAsync(string[] arguments, params (string Prompt, string Typed)[] dialogue)
    {
        var command = string.Join(' ', AperturProcess.CommandLine(arguments).Select(argument => $"'{argument}'"));
        using var process = Process.Start(new ProcessStartInfo(Components.Program("script"), ["-qec", command, "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var shown = new StringBuilder();
        foreach (var (prompt, typed) in dialogue)
        {
            var begin = shown.Length;
            while (!shown.ToString(begin, shown.Length - begin).Contains(prompt, StringComparison.Ordinal))
                shown.Append((char)await Eventually.Arrives(Task.Run(process.StandardOutput.Read)));
            await process.StandardInput.WriteAsync(typed);
            await process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        }

        shown.Append(await Eventually.Arrives(process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)));
        await Eventually.Arrives(process.WaitForExitAsync(TestContext.Current.CancellationToken));
        return (process.ExitCode, shown.ToString());
    }

    private static async Task AssertSignsInAsync(TempFolder data, int exitCode, string output, string errors)
    {
        Assert.True(exitCode == 0, errors);
        await using var server = await AperturProcess.ServeAsync(data.Path, JsonNode.Parse(output));
        (await server.ClientOf(null).PostAsync("auth/login", new { email = "owner@example.com", password = Password })).Expect(HttpStatusCode.OK);
    }
}
