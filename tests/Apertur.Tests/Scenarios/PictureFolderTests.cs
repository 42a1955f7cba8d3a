using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>Real pictures, from a folder that somebody has: public test suites of decoders hold what no test of ours would think of.</summary>
public sealed partial class PictureFolderTests(ITestOutputHelper output)
{
    /// <summary>Whatever libvips reads is taken, with the size that it would show; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public async Task Pictures_of_a_folder_are_taken_as_they_are_shown()
    {
        var folder = Environment.GetEnvironmentVariable("CHAOS_PICTURES") ?? throw new InvalidOperationException("CHAOS_PICTURES names the folder.");
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var different = 0;
        var session = "";
        foreach (var (number, file) in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Index())
        {
            var picture = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            if (picture.Length == 0 || ImageHeader.TypeOf(picture.AsSpan(0, Math.Min(picture.Length, ImageHeader.SniffLength))) is not { } type)
            {
                Count("not one of our types");
                continue;
            }

            if (number % 500 == 0 || session.Length == 0)
                session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 500 });
            var answer = await app.ClientOf(null).PostImageAsync(session, picture, Path.GetFileName(file));
            var ours = answer.Status == HttpStatusCode.Created ? $"{answer.Json["width"]} × {answer.Json["height"]}" : $"{(int)answer.Status} {answer.Text}";
            var shown = await ShownAsync(file);
            var same = ours == shown || (shown is null && answer.Status is (HttpStatusCode.Created or HttpStatusCode.UnsupportedMediaType));
            Count($"{type}: {(shown is null ? "libvips cannot read it" : "libvips reads it")}, {(answer.Status == HttpStatusCode.Created ? "taken" : "refused")}");
            if (same)
                continue;
            different++;
            output.WriteLine($"{file}: {ours}, libvips {shown ?? "cannot read it"}");
        }

        foreach (var (what, count) in counts)
            output.WriteLine($"{count,6}  {what}");
        output.WriteLine($"{different,6}  differ");

        void Count(string what) => counts[what] = counts.GetValueOrDefault(what) + 1;
    }

    /// <summary>The size that vipsheader tells, turned as it tells; null when it cannot read the file.</summary>
    private static async Task<string?> ShownAsync(string file)
    {
        using var process = Process.Start(new ProcessStartInfo(Components.Program("vipsheader"), ["-a", file])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var fields = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (process.ExitCode != 0)
            return null;
        var values = Field().Matches(fields).GroupBy(match => match.Groups[1].Value).ToDictionary(group => group.Key, group => group.First().Groups[2].Value);
        return values.GetValueOrDefault("orientation") is "5" or "6" or "7" or "8"
            ? $"{values["height"]} × {values["width"]}"
            : $"{values["width"]} × {values["height"]}";
    }

    [GeneratedRegex(@"^(width|height|orientation): (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Field();
}
