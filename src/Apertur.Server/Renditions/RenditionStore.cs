using System.Buffers;
using Apertur.Destinations;
using Apertur.Server.Blobs;
using Apertur.Server.Metadata;
using Apertur.Server.Pictures;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Renditions;

/// <summary>
/// Renditions of images, each made when the first delivery or download wants it, and kept as long as the image: so attempts, destinations and
/// nodes all send the same bytes. One that was lost or damaged is made again.
/// </summary>
internal sealed partial class RenditionStore(
    Settings settings, Database database, BlobStore blobs, StoredImages images, PictureProcess process, TimeProvider clock, ILogger<RenditionStore> log)
{
    // What a session takes at most, and a little.
    private const long MaxBytes = 128L * 1024 * 1024;

    private const int BatchSize = 500;
    private const string Later = "The server cannot make a JPEG of it now.";

    private readonly PictureLanes _lanes = new(settings.Renditions.AtOnce);

    /// <summary>
    /// What a destination with this choice gets of an image, compared with its row. Encrypted images, which nobody here can read, stay as they are.
    /// </summary>
    /// <exception cref="RenditionException">There is none.</exception>
    /// <exception cref="StoredImageException">The image is not what was received, which has been told, or cannot be read now.</exception>
    public async Task<SentImage> ReadAsync(Upload upload, Rendition? rendition, CancellationToken cancellationToken)
    {
        if (rendition is null || upload.IsEncrypted)
            return SentImage.AsStored(upload, await images.VerifyAsync(upload, cancellationToken));
        if (await FindAsync(upload, rendition, cancellationToken) is { Bytes: { } kept } found)
            return SentImage.Of(upload, kept, found.Row!.Sha256, rendition);

        using var lane = await _lanes.EnterAsync(upload.ProjectId, upload.Id, cancellationToken);
        // Whoever was in it before may have made it.
        var (lost, bytes) = await FindAsync(upload, rendition, cancellationToken);
        if (bytes is not null)
            return SentImage.Of(upload, bytes, lost!.Sha256, rendition);
        var made = await MakeAsync(upload, rendition, lost, cancellationToken);
        return SentImage.Of(upload, await VerifyAsync(made, cancellationToken), made.Sha256, rendition);
    }

    /// <summary>Tells of bytes that turned out to be damaged while they were given out. A rendition is made again by the next who wants it.</summary>
    public Task TellAsync(Upload upload, SentImage sent, ImageFault fault) =>
        sent.Rendition is null ? images.TellAsync(upload, fault, CancellationToken.None) : Task.CompletedTask;

    /// <summary>Removes all renditions of images that go, or have gone.</summary>
    public async Task DeleteAsync(IReadOnlyCollection<Guid> uploads, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var ids = await db.Renditions.Where(row => uploads.Contains(row.UploadId)).Select(row => row.Id).ToListAsync(cancellationToken);
        await DeleteAsync(ids, cancellationToken);
    }

    /// <summary>Removes renditions that crashes left: of images that are gone, and files without a row, which are of no use to anybody.</summary>
    public async Task SweepAsync(DateTimeOffset writtenBefore, CancellationToken cancellationToken)
    {
        await SmallSteps.RunAsync(
            async most =>
            {
                await using var db = database.Open();
                var left = await db.Renditions.Where(row => !db.Uploads.Any(upload => upload.Id == row.UploadId && upload.RemovedAt == null))
                    .Take(most).Select(row => row.Id).ToListAsync(cancellationToken);
                await DeleteAsync(left, cancellationToken);
                return left.Count;
            },
            cancellationToken);
        var old = blobs.RenditionsAsync(cancellationToken).Where(blob => blob.WrittenAt < writtenBefore).Select(blob => blob.Id);
        await foreach (var batch in old.Chunk(BatchSize).WithCancellation(cancellationToken))
        {
            await using var db = database.Open();
            var ids = batch.ToList();
            var known = await db.Renditions.Where(row => ids.Contains(row.Id)).Select(row => row.Id).ToListAsync(cancellationToken);
            foreach (var id in ids.Except(known))
                await blobs.DeleteRenditionAsync(id, cancellationToken);
        }
    }

    private async Task DeleteAsync(List<Guid> ids, CancellationToken cancellationToken)
    {
        foreach (var id in ids)
            await blobs.DeleteRenditionAsync(id, cancellationToken);
        if (ids.Count > 0)
            await database.WriteAsync(db => db.Renditions.Where(row => ids.Contains(row.Id)).ExecuteDeleteAsync(cancellationToken), cancellationToken);
    }

    /// <returns>The row if there is one, and its bytes if they are right.</returns>
    private async Task<(RenditionRow? Row, VerifiedImage? Bytes)> FindAsync(Upload upload, Rendition rendition, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var kind = rendition.ToString();
        if (await db.Renditions.AsNoTracking().SingleOrDefaultAsync(row => row.UploadId == upload.Id && row.Kind == kind, cancellationToken) is not { } found)
            return (null, null);
        try
        {
            return (found, await VerifyAsync(found, cancellationToken));
        }
        catch (StoredImageException exception) when (exception.Fault != ImageFault.Unreadable)
        {
            LogLost(upload.Id, found.Kind, exception.Message);
            return (found, null);
        }
    }

    private Task<VerifiedImage> VerifyAsync(RenditionRow row, CancellationToken cancellationToken) => VerifiedImage.VerifyAsync(
        (position, ct) => blobs.OpenRenditionAsync(row.Id, position, ct), row.SizeBytes, row.Sha256, cancellationToken);

    private async Task<RenditionRow> MakeAsync(Upload upload, Rendition rendition, RenditionRow? lost, CancellationToken cancellationToken)
    {
        if (!await process.DecodesAsync(upload.MimeType, cancellationToken))
        {
            throw new RenditionException(
                "No JPEG can be made of a HEIC photo on this server: its operator has to install libvips. Then ask for another try.", isFinal: true);
        }

        // Not known to be few enough.
        if (!((long?)upload.Width * upload.Height <= PictureProcess.MaxPixels))
            throw new RenditionException("No JPEG can be made of it: it has too many pixels.", isFinal: true);

        var started = clock.GetTimestamp();
        var original = await images.VerifyAsync(upload, cancellationToken);
        RenditionRow? row;
        try
        {
            row = await StoreAsync(upload, original, rendition, lost, cancellationToken);
        }
        catch (Exception exception) when (StorageFault.Of(exception) != StorageFaultKind.None)
        {
            LogUnavailable(upload.Id, exception.Message);
            throw new RenditionException(Later, isFinal: false);
        }

        if (row is null)
            throw new RenditionException("The image was withdrawn.", isFinal: true);
        var took = clock.GetElapsedTime(started).TotalMilliseconds;
        LogMade(upload.Id, row.Kind, row.SizeBytes, took);
        return row;
    }

    /// <returns>The row that counts; null when the image has gone.</returns>
    private async Task<RenditionRow?> StoreAsync(
        Upload upload, VerifiedImage original, Rendition rendition, RenditionRow? lost, CancellationToken cancellationToken)
    {
        await using var file = blobs.CreateRendition(Guid.CreateVersion7(clock.GetUtcNow()));
        await DecodeAsync(upload, original, rendition, file, cancellationToken);
        await file.SyncAsync(cancellationToken);
        file.Keep();
        var row = await RecordAsync(upload, rendition, file, lost, cancellationToken);
        if (row?.Id != file.Id)
            file.Discard();
        else if (lost is not null)
            await blobs.DeleteRenditionAsync(lost.Id, cancellationToken);
        return row;
    }

    private async Task DecodeAsync(Upload upload, VerifiedImage original, Rendition rendition, BlobWriter file, CancellationToken cancellationToken)
    {
        PictureResult result;
        try
        {
            await using var picture = original.OpenRead();
            result = await process.RunAsync(
                picture, upload.MimeType, JobOf(rendition), (bytes, ct) => file.AppendAsync(new ReadOnlySequence<byte>(bytes), ct), cancellationToken);
        }
        catch (StoredImageException exception)
        {
            await images.TellAsync(upload, exception.Fault, CancellationToken.None);
            throw;
        }

        if (result.Failure is { } failure)
            throw new RenditionException($"No JPEG can be made of it. {failure}", isFinal: true);
        if (result.Unavailable is { } reason)
        {
            LogUnavailable(upload.Id, reason);
            throw new RenditionException(Later, isFinal: false);
        }
    }

    private PictureJob JobOf(Rendition rendition) => new()
    {
        MaxPixels = rendition.MaxPixels ?? long.MaxValue,
        Quality = rendition.Quality,
        Strip = EnumNames.Parse<Strip>(rendition.Strip) ?? Strip.All,
        MustBeWhole = true,
        MemoryMb = settings.Renditions.MemoryMb,
        CpuSeconds = settings.Renditions.CpuSeconds,
        MaxBytes = MaxBytes,
    };

    /// <returns>The row that counts: another node's, where that was faster. Null when the image has gone.</returns>
    private Task<RenditionRow?> RecordAsync(
        Upload upload, Rendition rendition, BlobWriter file, RenditionRow? lost, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                if (await database.Locked(db.Uploads, [upload.Id]).AsNoTracking().SingleOrDefaultAsync(cancellationToken) is not { RemovedAt: null })
                    return null;
                var kind = rendition.ToString();
                if (await db.Renditions.SingleOrDefaultAsync(r => r.UploadId == upload.Id && r.Kind == kind, cancellationToken) is { } there)
                {
                    if (there.Id != lost?.Id)
                        return there;
                    await db.Renditions.Where(r => r.Id == there.Id).ExecuteDeleteAsync(cancellationToken);
                    db.Entry(there).State = EntityState.Detached;
                }

                var row = new RenditionRow
                {
                    Id = file.Id,
                    UploadId = upload.Id,
                    Kind = kind,
                    SizeBytes = file.Length,
                    Sha256 = file.Sha256,
                    CreatedAt = clock.GetUtcNow(),
                };
                db.Renditions.Add(row);
                return row;
            },
            cancellationToken);

    [LoggerMessage(EventName = "rendition.made", Level = LogLevel.Information,
        Message = "rendition.made {Image} {Kind}: {Bytes} bytes in {Milliseconds:F0} ms")]
    private partial void LogMade(Guid image, string kind, long bytes, double milliseconds);

    [LoggerMessage(EventName = "rendition.lost", Level = LogLevel.Warning, Message = "rendition.lost {Image} {Kind} is made again. {Reason}")]
    private partial void LogLost(Guid image, string kind, string reason);

    [LoggerMessage(EventName = "rendition.unavailable", Level = LogLevel.Error, Message = "rendition.unavailable {Image}: {Reason}")]
    private partial void LogUnavailable(Guid image, string reason);
}
