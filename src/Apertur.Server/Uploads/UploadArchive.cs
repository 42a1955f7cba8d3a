using System.Globalization;
using System.IO.Compression;
using System.Text;
using Apertur.Destinations;
using Apertur.Server.Renditions;

namespace Apertur.Server.Uploads;

/// <summary>
/// Streams images as one zip archive, each as it is stored: compressing them again saves nothing. An image that is not what was received any
/// more breaks the answer off, so that nobody takes a part for the whole.
/// </summary>
internal sealed class UploadArchive(IReadOnlyList<Upload> uploads, RenditionStore renditions) : IResult
{
    /// <summary>The header that says how many images are not in it, because their bytes were removed.</summary>
    public const string LeftOutHeader = "Apertur-Left-Out";

    public const int MostImages = 500;

    /// <summary>More than any program needs the 64-bit form of an archive for.</summary>
    public const long MostBytes = 2_000_000_000;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.ContentType = "application/zip";
        response.Headers.ContentDisposition = "attachment; filename=\"photos.zip\"";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.CacheControl = "private, no-store";
        var leftOut = uploads.Where(upload => upload.RemovedAt is not null).ToList();
        if (leftOut.Count > 0)
            response.Headers[LeftOutHeader] = leftOut.Count.ToString(CultureInfo.InvariantCulture);
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var body = new AsynchronousBody(response.Body);
        // Ended only when all went well: its end is what makes it an archive.
        var archive = await ZipArchive.CreateAsync(body, ZipArchiveMode.Create, leaveOpen: true, entryNameEncoding: null, httpContext.RequestAborted);
        foreach (var upload in uploads.Where(upload => upload.RemovedAt is null))
        {
            var image = await renditions.ReadAsync(upload, null, httpContext.RequestAborted);
            var entry = archive.CreateEntry(Unique(image.Filename, names), CompressionLevel.NoCompression);
            entry.LastWriteTime = upload.CreatedAt;
            try
            {
                await using var bytes = image.Bytes.OpenRead();
                await using var into = await entry.OpenAsync(httpContext.RequestAborted);
                await bytes.CopyToAsync(into, httpContext.RequestAborted);
            }
            catch (StoredImageException exception)
            {
                await renditions.TellAsync(upload, image, exception.Fault);
                throw;
            }
        }

        if (leftOut.Count > 0)
        {
            await using var list = await archive.CreateEntry(Unique("left-out.txt", names)).OpenAsync(httpContext.RequestAborted);
            await list.WriteAsync(Encoding.UTF8.GetBytes(string.Concat(leftOut.Select(Line))), httpContext.RequestAborted);
        }

        await archive.DisposeAsync();
        await body.FlushAsync(httpContext.RequestAborted);
    }

    // Its name went with its bytes.
    private static string Line(Upload upload) => string.Create(
        CultureInfo.InvariantCulture,
        $"{upload.Id}, number {upload.ImageIndex + 1} of session {upload.SessionId}, received {upload.CreatedAt:yyyy-MM-dd}, removed {upload.RemovedAt:yyyy-MM-dd}\r\n");

    /// <summary>A name that no other has, also where upper and lower case are the same: <c>roof.jpg</c>, <c>roof (2).jpg</c>.</summary>
    private static string Unique(string filename, HashSet<string> names)
    {
        var name = filename;
        for (var n = 2; !names.Add(name); n++)
            name = $"{Path.GetFileNameWithoutExtension(filename)} ({n}){Path.GetExtension(filename)}";
        return name;
    }

    /// <summary>
    /// Keeps what is written synchronously, the few bytes that end each entry, until the next asynchronous write: a response takes nothing else,
    /// and no thread waits for a slow client.
    /// </summary>
    private sealed class AsynchronousBody(Stream body) : Stream
    {
        private readonly MemoryStream _kept = new();

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer) => _kept.Write(buffer);

        public override void Write(byte[] buffer, int offset, int count) => _kept.Write(buffer, offset, count);

        public override void Flush()
        {
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await WriteKeptAsync(cancellationToken);
            await body.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            await WriteKeptAsync(cancellationToken);
            await body.FlushAsync(cancellationToken);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private async ValueTask WriteKeptAsync(CancellationToken cancellationToken)
        {
            if (_kept.Length == 0)
                return;
            await body.WriteAsync(_kept.ToArray(), cancellationToken);
            _kept.SetLength(0);
        }
    }
}
