using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Apertur.Server.Metadata;
using Apertur.Server.Uploads;

namespace Apertur.Server.Pictures;

/// <summary>What came of a picture: what was to be made of it when both are null, or why there can be none, or why none could be made this time.</summary>
/// <param name="Failure">The picture is the reason.</param>
/// <param name="Unavailable">The machine is.</param>
/// <param name="LacksDecoder">It has nothing that decodes pictures of this type.</param>
internal sealed record PictureResult(string? Failure = null, string? Unavailable = null, bool LacksDecoder = false);

/// <summary>
/// Runs <see cref="PictureWorker"/> in a child process, one for each picture: whatever a picture does to its decoder ends with it, and
/// no picture can see another. That costs up to a second of a core each.
/// </summary>
internal sealed partial class PictureProcess(Settings settings, TimeProvider clock, ILogger<PictureProcess> log)
{
    /// <summary>The largest photo of a phone has 200 megapixels. Beyond, it is not worth a process to find out.</summary>
    public const long MaxPixels = 256_000_000;

    // Processor time is limited by the system. This is for a child that waits for something.
    private static readonly TimeSpan _wait = TimeSpan.FromSeconds(60);

    private const int MaxReason = 300;

    // What its exit code is beyond the number of the signal that ended it (signal(7)).
    private const int Signalled = 128;
    private const int Hangup = 1;
    private const int Interrupt = 2;
    private const int Kill = 9;
    private const int Terminate = 15;
    private const int CpuTimeUp = 24;

    // The least work there is, to see whether there can be any.
    private static readonly PictureJob _trial = new() { MaxSide = 8, Quality = 80, Strip = Strip.All, MemoryMb = 768, CpuSeconds = 5, MaxBytes = 1 };

    private readonly Lock _lock = new();
    private Task<bool?>? _decodesHeic;

    private static string Program => typeof(PictureWorker).Assembly.Location;

    /// <summary>Whether .NET is in the folder of this program, as where it was published, and no <c>dotnet</c> may be anywhere.</summary>
    private static bool BringsRuntime => Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory()) == Path.GetDirectoryName(Program);

    /// <summary>Whether pictures of a type can be decoded on this machine, as far as is known. HEIC is tried once.</summary>
    public async ValueTask<bool> DecodesAsync(string type, CancellationToken cancellationToken)
    {
        if (type != ImageHeader.Heic)
            return true;
        Task<bool?> trial;
        lock (_lock)
            trial = _decodesHeic is { IsCompleted: false } or { IsCompletedSuccessfully: true, Result: not null } ? _decodesHeic : _decodesHeic = TryHeicAsync();
        return await trial.WaitAsync(cancellationToken) ?? true;
    }

    /// <param name="picture">Its bytes, or none to only see whether pictures of that type can be decoded.</param>
    /// <param name="type">Its media type.</param>
    /// <param name="job">What is made of it.</param>
    /// <param name="write">Takes what is made piece by piece. What it has taken counts only when there was no failure.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<PictureResult> RunAsync(
        Stream picture, string type, PictureJob job, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, CancellationToken cancellationToken)
    {
        var longest = _wait + TimeSpan.FromSeconds(job.CpuSeconds);
        using var limit = new CancellationTokenSource(longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var process = new Process { StartInfo = Child(picture.Length, type, job) };
        try
        {
            process.Start();
        }
        catch (Win32Exception failure)
        {
            return new PictureResult(Unavailable: failure.Message);
        }

        var input = SendAsync(picture, process.StandardInput.BaseStream, either.Token);
        var errors = ReadAsync(process.StandardError.BaseStream, MaxReason, either.Token);
        try
        {
            var length = await PassOnAsync(process.StandardOutput.BaseStream, job.MaxBytes, write, either.Token);
            await process.WaitForExitAsync(either.Token);
            await input;
            return Result(process.ExitCode, length, Encoding.UTF8.GetString(await errors), job);
        }
        // Not the picture's fault, whose processor time would have been up long before.
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return new PictureResult(Unavailable: $"The process was not done after {longest.TotalSeconds:0} seconds.");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
            // Nobody reads the picture any more.
            await either.CancelAsync();
            await Task.WhenAll(input, errors).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static PictureResult Result(int code, long? length, string errors, PictureJob job)
    {
        var reason = errors.Split('\n', 2)[0].Trim();
        // Ended by another: an operator, a service manager that stops the server, or the system, which had no memory left.
        if (length is null || code is Signalled + Hangup or Signalled + Interrupt or Signalled + Kill or Signalled + Terminate)
            return new PictureResult(Unavailable: $"The process ended with code {code}. {reason}", LacksDecoder: code == PictureWorker.NoDecoder);
        if (length > job.MaxBytes)
            return new PictureResult(Failure: "What is made of it would be too large.");
        // SIGXCPU, or SIGABRT and its like, which is how libraries answer to want of memory.
        return code switch
        {
            0 => new PictureResult(),
            PictureWorker.Undecodable => new PictureResult(Failure: $"It cannot be decoded. {reason}"),
            Signalled + CpuTimeUp => new PictureResult(Failure: $"It takes more than {job.CpuSeconds} s of processor time to decode."),
            _ => new PictureResult(Failure: $"Its decoder ended with code {code}: most likely it takes more than {job.MemoryMb} MB."),
        };
    }

    private ProcessStartInfo Child(long length, string type, PictureJob job)
    {
        string[] arguments = [PictureWorker.Command, $"{length}", type, settings.Thumbnails.HeicLibrary, .. job.ToArguments()];
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

    /// <summary>Passes on what the child makes, as far as it may, and reads on so that it is not held up.</summary>
    /// <returns>How many bytes it made; null when it did not come to that.</returns>
    private static async Task<long?> PassOnAsync(
        Stream output, long most, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, CancellationToken cancellationToken)
    {
        var bytes = new byte[64 * 1024];
        if (await output.ReadAsync(bytes.AsMemory(0, 1), cancellationToken) == 0 || bytes[0] != PictureWorker.Ready)
            return null;
        var length = 0L;
        int read;
        while ((read = await output.ReadAsync(bytes, cancellationToken)) > 0)
        {
            length += read;
            if (length <= most)
                await write(bytes.AsMemory(0, read), cancellationToken);
        }

        return length;
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

    /// <returns>Null when it could not be found out this time.</returns>
    private async Task<bool?> TryHeicAsync()
    {
        if (settings.Thumbnails.HeicLibrary.Length == 0)
            return false;
        var result = await RunAsync(Stream.Null, ImageHeader.Heic, _trial, (_, _) => ValueTask.CompletedTask, CancellationToken.None);
        if (result.Unavailable is not { } reason)
            return true;
        if (!result.LacksDecoder)
            return null;
        LogNoHeic(reason);
        return false;
    }

    [LoggerMessage(EventName = "pictures.heic", Level = LogLevel.Information,
        Message = "pictures.heic HEIC photos are not decoded here: that needs libvips and its decoder for HEVC installed. {Reason}")]
    private partial void LogNoHeic(string reason);
}
