using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Repository;

/// <summary>The snippets of docs/webhook-deliveries.md verify what this server sends, and nothing else.</summary>
public sealed partial class WebhookDocsTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    private const string Body = """{"a":1}""";
    private const string Signature = "sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f";

    private static readonly (string Secret, string Signature, string Body, string Verdict)[] _cases =
    [
        (Secret, Signature, Body, "true"),
        (Secret, Signature, Body + " ", "false"),
        (Secret, Signature[..^1] + "0", Body, "false"),
        (Secret, "", Body, "false"),
        ("other", Signature, Body, "false"),
    ];

    [Theory]
    [InlineData("js", "node", "verify.mjs", "", """
        const [, , secret, signature, body] = process.argv;
        console.log(String(verify(secret, signature, Buffer.from(body))));
        """)]
    [InlineData("python", "python3", "verify.py", "", """
        import sys
        print(str(verify(sys.argv[1], sys.argv[2], sys.argv[3].encode())).lower())
        """)]
    [InlineData("java", "java", "Main.java", "", """
        class Main {
            public static void main(String[] args) throws Exception {
                System.out.println(Webhooks.verify(args[0], args[1], args[2].getBytes(StandardCharsets.UTF_8)));
            }
        }
        """)]
    [InlineData("php", "php", "verify.php", "<?php\n", """
        echo verify($argv[1], $argv[2], $argv[3]) ? "true" : "false";
        """)]
    [InlineData("ruby", "ruby", "verify.rb", "", "puts verify(ARGV[0], ARGV[1], ARGV[2])")]
    public async Task Snippet_verifies_the_signature(string language, string program, string file, string before, string after)
    {
        // ./test installs the others; Java is large, and its snippet runs where it is.
        Assert.SkipWhen(program == "java" && Components.Find(program) is null, "Java is not here.");
        var executable = Components.Program(program);
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, file);
        var snippet = Snippet(language);
        // The first class of a Java file is the one that runs.
        await File.WriteAllTextAsync(
            path,
            language == "java" ? JavaMainFirst(snippet, after) : before + snippet + "\n" + after,
            TestContext.Current.CancellationToken);

        foreach (var (secret, signature, body, verdict) in _cases)
            Assert.Equal(verdict, await RunAsync(executable, path, secret, signature, body));
    }

    [Fact]
    public void Snippet_of_CSharp_verifies_the_signature()
    {
        var compiled = RepositoryFiles.Read("tests/Apertur.Tests/Repository/WebhookSnippet.cs");
        Assert.EndsWith(Snippet("csharp"), compiled.TrimEnd('\n'), StringComparison.Ordinal);

        foreach (var (secret, signature, body, verdict) in _cases)
            Assert.Equal(verdict == "true", Webhooks.Verify(secret, signature, Encoding.UTF8.GetBytes(body)));
    }

    private static string JavaMainFirst(string snippet, string main)
    {
        var at = snippet.IndexOf("class Webhooks", StringComparison.Ordinal);
        return snippet[..at] + main + "\n\n" + snippet[at..];
    }

    private static string Snippet(string language)
    {
        var block = Assert.Single(Blocks().Matches(RepositoryFiles.Read("docs/webhook-deliveries.md")), match => match.Groups[1].Value == language);
        return block.Groups[2].Value.TrimEnd('\n');
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(limit.Token);
        var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        Assert.True(process.ExitCode == 0, await errors);
        return output.Trim();
    }

    [GeneratedRegex(@"^```([a-z]+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
