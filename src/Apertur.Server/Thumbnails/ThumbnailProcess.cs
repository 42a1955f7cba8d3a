using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Apertur.Server.Thumbnails;

/// <summary>What came of a picture: what was to be made of it, or why that cannot be, or why it could not be this time.</summary>
internal sealed record ThumbnailResult(byte[]? Picture, string? Failure = null, string? Unavailable = null);

/// <summary>
/// Runs <see cref="ThumbnailWorker"/> in a child process, one for each picture: whatever a picture does to its decoder ends with it, and
/// no picture can see another. That costs some 80 ms of a core each, once in a picture's life.
/// </summary>
internal sealed class ThumbnailProcess(Settings settings, TimeProvider clock)
{
    // Processor time is limited by the system. This is for a child that waits for something.
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(60);

    // A JPEG of 256 × 256 pixels has 20 kB, of noise 100.
    private const int MaxBytes = 1024 * 1024;
    private const int MaxReason = 300;

    private static string Program => typeof(ThumbnailWorker).Assembly.Location;

    /// <summary>Whether .NET is in the folder of this program, as where it was published, and no <c>dotnet</c> may be anywhere.</summary>
    private static bool BringsRuntime => Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory()) == Path.GetDirectoryName(Program);

    /// <param name="picture">Its bytes, or none to only see whether pictures of that type can be decoded.</param>
    /// <param name="type">Its media type.</param>
    /// <param name="form">What to make of it.</param>
    /// <param name="cancellationToken">Ends the child.</param>
    public async Task<ThumbnailResult> RunAsync(Stream picture, string type, PictureForm form, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var process = new Process { StartInfo = Child(picture.Length, type, form) };
        try
        {
            process.Start();
        }
        catch (Win32Exception failure)
        {
            return new ThumbnailResult(null, Unavailable: failure.Message);
        }

        try
        {
            var input = SendAsync(picture, process.StandardInput.BaseStream, either.Token);
            var output = ReadAsync(process.StandardOutput.BaseStream, 1 + MaxBytes, either.Token);
            var errors = ReadAsync(process.StandardError.BaseStream, MaxReason, either.Token);
            await process.WaitForExitAsync(either.Token);
            await input;
            return Result(process.ExitCode, await output, Encoding.UTF8.GetString(await errors));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return new ThumbnailResult(null, Failure: $"It was not done after {_longest.TotalSeconds:0} seconds.");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private ThumbnailResult Result(int code, byte[] output, string errors)
    {
        var reason = errors.Split('\n', 2)[0].Trim();
        if (output is not [ThumbnailWorker.Ready, ..])
            return new ThumbnailResult(null, Unavailable: $"The process ended with code {code}. {reason}");
        if (output.Length > MaxBytes)
            return new ThumbnailResult(null, Failure: "What is made of it would be too large.");
        // 128 and the number of the signal that ended it: SIGXCPU, or SIGABRT and its like, which is how libraries answer to want of memory.
        return code switch
        {
            0 => new ThumbnailResult(output[1..]),
            ThumbnailWorker.Undecodable => new ThumbnailResult(null, Failure: $"It cannot be decoded. {reason}"),
            128 + 24 => new ThumbnailResult(null, Failure: $"It takes more than {settings.Thumbnails.CpuSeconds} s of processor time to decode."),
            _ => new ThumbnailResult(
                null, Failure: $"Its decoder ended with code {code}: most likely it takes more than {settings.Thumbnails.MemoryMb} MB."),
        };
    }

    private ProcessStartInfo Child(long length, string type, PictureForm form)
    {
        var thumbnails = settings.Thumbnails;
        string[] arguments =
            [ThumbnailWorker.Command, $"{length}", type, $"{form}", $"{thumbnails.MemoryMb}", $"{thumbnails.CpuSeconds}", thumbnails.HeicLibrary];
        var start = BringsRuntime
            ? new ProcessStartInfo(Path.ChangeExtension(Program, OperatingSystem.IsWindows() ? ".exe" : null), arguments)
            : new ProcessStartInfo(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet"), [Program, .. arguments]);
        start.WorkingDirectory = "/";
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        // Nothing that this process was told; only what makes .NET start quickly and small.
        start.Environment.Clear();
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x10000000";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["VIPS_WARNING"] = "0";
        return start;
    }

    /// <summary>Passes the picture on. A child that has ended does not take it, and why it has ended is what counts.</summary>
    private static async Task SendAsync(Stream picture, Stream input, CancellationToken cancellationToken)
    {
        try
        {
            await using (input)
                await picture.CopyToAsync(input, cancellationToken);
        }
        catch (IOException)
        {
        }
    }

    /// <summary>The first bytes of a stream, which is read to its end so that its writer is not held up.</summary>
    private static async Task<byte[]> ReadAsync(Stream stream, int most, CancellationToken cancellationToken)
    {
        var bytes = new byte[16 * 1024];
        using var kept = new MemoryStream();
        int read;
        while ((read = await stream.ReadAsync(bytes, cancellationToken)) > 0)
            kept.Write(bytes, 0, (int)Math.Min(read, most - kept.Length));
        return kept.ToArray();
    }
}
