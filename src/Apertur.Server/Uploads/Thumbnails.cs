using System.Diagnostics;
using Apertur.Server.Storage;

namespace Apertur.Server.Uploads;

/// <summary>
/// Small JPEGs of images, made when somebody asks for one and kept beside the image. libvips' own program decodes, in a process that knows no
/// secret: an image made to break a decoder breaks that process. Where the program is missing there are no thumbnails, and nothing else changes.
/// </summary>
internal sealed partial class Thumbnails(BlobStore blobs, Settings settings, TimeProvider clock, ILogger<Thumbnails> log)
    : IDisposable
{
    /// <summary>The longer side, in pixels. Smaller images stay as they are.</summary>
    public const int Side = 256;

    // HEIC and WebP are decoded whole: 64 megapixels take about a gigabyte for a moment. No phone's default photo is larger.
    private const long MaxPixels = 64_000_000;
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);

    private readonly string? _program = Find(settings.Thumbnails.Program);

    // Two cores decode no faster than one here, and memory is what limits it.
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>Whether an image can have a thumbnail. One that turns out to be damaged still has none.</summary>
    public bool CanMake(bool isEncrypted, int? width, int? height) =>
        _program is not null && !isEncrypted && (long?)width * height <= MaxPixels;

    /// <summary>The thumbnail's bytes, a JPEG; null when the image has none.</summary>
    public async Task<Stream?> OpenAsync(Upload upload, CancellationToken cancellationToken)
    {
        if (!CanMake(upload.IsEncrypted, upload.Width, upload.Height))
            return null;
        var path = blobs.ThumbnailPath(upload.Id);
        if (!File.Exists(path))
        {
            await _turn.WaitAsync(cancellationToken);
            try
            {
                if (!File.Exists(path) && blobs.Exists(upload.Id))
                    await MakeAsync(upload.Id, path, cancellationToken);
            }
            finally
            {
                _turn.Release();
            }
        }

        try
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 0, FileOptions.Asynchronous);
            if (stream.Length > 0)
                return stream;
            await stream.DisposeAsync();
        }
        catch (FileNotFoundException)
        {
            // It could not be made this time, or the image was withdrawn.
        }

        return null;
    }

    public void Dispose() => _turn.Dispose();

    private async Task MakeAsync(Guid id, string path, CancellationToken cancellationToken)
    {
        // Half of a file never has the final name, and nodes that share a folder do not write into each other's.
        var draft = $"{id}.{Guid.NewGuid():N}.jpg";
        var draftPath = Path.Combine(Path.GetDirectoryName(path)!, draft);
        using var limit = new CancellationTokenSource(_longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var code = await RunAsync(Path.GetDirectoryName(path)!, id.ToString(), draft, either.Token);
            if (code != 0)
                LogRefused(id, code);
            // An empty file remembers that the image cannot be decoded.
            if (!File.Exists(draftPath))
                await File.WriteAllBytesAsync(draftPath, [], CancellationToken.None);
            File.Move(draftPath, path, overwrite: true);
            if (!blobs.Exists(id))
                File.Delete(path);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            LogSlow(id);
        }
        finally
        {
            File.Delete(draftPath);
        }
    }

    /// <summary>Names without a folder, in the folder: the program reads options and patterns out of the rest of a path.</summary>
    private async Task<int> RunAsync(string folder, string image, string thumbnail, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(_program!)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { image, "--size", $"{Side}x{Side}>", "--output", thumbnail + "[Q=80,strip]" },
        };
        start.Environment.Clear();
        start.Environment["VIPS_BLOCK_UNTRUSTED"] = "1";
        start.Environment["VIPS_CONCURRENCY"] = "1";
        using var process = Process.Start(start)!;
        try
        {
            await Task.WhenAll(
                process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, cancellationToken),
                process.StandardError.BaseStream.CopyToAsync(Stream.Null, cancellationToken),
                process.WaitForExitAsync(cancellationToken));
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static string? Find(string program) => program.Length == 0 ? null
        : program.Contains(Path.DirectorySeparatorChar) ? File.Exists(program) ? Path.GetFullPath(program) : null
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    [LoggerMessage(EventName = "thumbnail.refused", Level = LogLevel.Information, Message = "thumbnail.refused {Image}: the program ended with {Code}")]
    private partial void LogRefused(Guid image, int code);

    [LoggerMessage(EventName = "thumbnail.slow", Level = LogLevel.Warning, Message = "thumbnail.slow {Image} took too long and was ended")]
    private partial void LogSlow(Guid image);
}
