using System.Buffers;
using System.Text.Json;
using Apertur.Server.Blobs;
using Apertur.Server.Contract;
using Apertur.Server.Deliveries;
using Apertur.Server.Events;
using Apertur.Server.Http;
using Apertur.Server.Metadata;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Telemetry;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>
/// Receives images: streams them into the store and writes their rows. A photo counts as received when its bytes, their name and its
/// rows are durable; before that nothing of it stays, after that every destination receives it or shows why not.
/// </summary>
internal sealed class ImageIntake
{
    // One write of this size costs little more than one of a tenth of it, and 16 uploads hold 4 MB together.
    public const int ChunkBytes = 256 * 1024;

    private static readonly JsonTable _sessions = new(
        "id", "opened#", "changed#", "ended#", "next#", "images#", "dispatched#", "deliveries#");

    private readonly Database _database;
    private readonly BlobStore _blobs;
    private readonly StrippedPhotos _stripped;
    private readonly DirectClaims _claims;
    private readonly TimeProvider _clock;
    private readonly GroupCommit<Incoming, Received> _commit;
    private long _lastCame;

    public ImageIntake(Database database, BlobStore blobs, StrippedPhotos stripped, DirectClaims claims, TimeProvider clock)
    {
        _database = database;
        _blobs = blobs;
        _stripped = stripped;
        _claims = claims;
        _clock = clock;
        _commit = new GroupCommit<Incoming, Received>(
            database, database.LockWait, outlastsOutage: false, image => [new RowKey("sessions", image.Upload.SessionId)], CommitAsync);
    }

    /// <summary>Whether a photo came to this node so lately.</summary>
    public bool IsBusy(TimeSpan within) => Volatile.Read(ref _lastCame) is var last and not 0 && _clock.GetElapsedTime(last) < within;

    /// <summary>
    /// Streams one file part into the store while hashing it. Type, size and dimensions are checked as soon as they can be known. Where the
    /// session says so it is freed of metadata before, see <see cref="StrippedPhotos"/>.
    /// </summary>
    /// <returns>The image, not yet received: it vanishes unless <see cref="ReceiveAsync"/> takes it.</returns>
    /// <exception cref="ApiErrorException">The session does not take this file; nothing stays of it.</exception>
    public async Task<StagedImage> StageAsync(
        ReadBytes read, string? filename, UploadSession session, CancellationToken cancellationToken)
    {
        if (session.Strip == Strip.None)
            return await StoreAsync(read, filename, session, cancellationToken);
        using var photo = await _stripped.ReadAsync(read, session, cancellationToken);
        var image = await StoreAsync(photo.Read, filename, session, cancellationToken);
        return image with { OriginalSha256 = photo.OriginalSha256 };
    }

    private async Task<StagedImage> StoreAsync(ReadBytes read, string? filename, UploadSession session, CancellationToken cancellationToken)
    {
        var first = await read(ImageHeader.SniffLength, cancellationToken);
        var type = TypeOf(first, session);
        var maxBytes = session.MaxImageSizeMb * 1024L * 1024;
        var blob = _blobs.Create(Guid.CreateVersion7(_clock.GetUtcNow()));
        try
        {
            for (var chunk = first; !chunk.IsEmpty; chunk = await read(ChunkBytes, cancellationToken))
            {
                if (blob.Length + chunk.Length > maxBytes)
                    throw ApiErrors.ImageTooLarge(session.MaxImageSizeMb).ToException();
                await blob.AppendAsync(chunk, cancellationToken);
            }

            var size = await ImageHeader.SizeOfAsync(blob, type, cancellationToken) ?? throw ApiErrors.DamagedImage.ToException();
            if (session.MaxImageDimension is { } max && Math.Max(size.Width, size.Height) > max)
                throw ApiErrors.ImageTooManyPixels(size.Width, size.Height, max).ToException();
            return new StagedImage(blob, Filenames.Sanitise(filename, type), type, size);
        }
        catch
        {
            await blob.DisposeAsync();
            throw;
        }
    }

    /// <summary>The type that a photo's first bytes say, of which there must be <see cref="ImageHeader.SniffLength"/> unless it is smaller.</summary>
    /// <exception cref="ApiErrorException">400, 415: the session does not take it.</exception>
    public static string TypeOf(in ReadOnlySequence<byte> first, UploadSession session)
    {
        var allowed = SessionLimits.AllowedTypes(session);
        var type = first.IsEmpty ? throw ApiErrors.Validation("file", "The photo is empty.").ToException() : SniffType(first);
        return allowed.FirstOrDefault(taken => taken == type) ?? throw ApiErrors.UnsupportedImage(allowed).ToException();
    }

    /// <summary>Receives a staged image: when this returns, it is stored in full and its deliveries are queued.</summary>
    /// <returns>What is answered: to a repeat, what was answered first, and nothing stays of this copy.</returns>
    /// <exception cref="ApiErrorException">
    /// The session was closed or filled in the meantime, or another image came under that name; nothing stays of the image.
    /// </exception>
    public async Task<UploadResponse> ReceiveAsync(
        StagedImage image, UploadSession session, UploadFields fields, Idempotency? idempotency, CancellationToken cancellationToken)
    {
        await image.Blob.SyncAsync(cancellationToken);
        Volatile.Write(ref _lastCame, _clock.GetTimestamp());
        var upload = new Upload
        {
            Id = image.Blob.Id,
            SessionId = session.Id,
            ProjectId = session.ProjectId,
            Env = session.Env,
            Filename = image.Filename,
            SizeBytes = image.Blob.Length,
            MimeType = image.MimeType,
            Fields = fields,
            Sha256 = image.Blob.Sha256,
            OriginalSha256 = image.OriginalSha256,
            Width = image.Size?.Width,
            Height = image.Size?.Height,
            IsEncrypted = image.IsEncrypted,
            CreatedAt = _clock.GetUtcNow(),
        };

        // From here on the caller going away changes nothing: the outcome of a commit is not known before it is there.
        image.Blob.Keep();
        var received = await CommitAsync(image, new Incoming(upload, session.Strip, idempotency, Instruments.TraceParent));
        if (received.Answer?.Id == upload.Id)
        {
            Instruments.Uploads.Add(1);
            Instruments.UploadBytes.Add(upload.SizeBytes);
        }
        else
        {
            image.Blob.Discard();
        }

        return received.Refused is { } refused ? throw refused.ToException() : received.Answer!;
    }

    private async Task<Received> CommitAsync(StagedImage image, Incoming incoming)
    {
        try
        {
            return await _commit.AddAsync(incoming);
        }
        catch (RowHeldException)
        {
            // The one failure that says for certain that there is no row.
            image.Blob.Discard();
            throw;
        }
    }

    /// <summary>Refuses a photo of a session that takes none now. One that has been received under that name gets the same answer again, whatever
    /// has become of the session.</summary>
    /// <exception cref="ApiErrorException">409, 410, 422.</exception>
    public async Task RequireOpenAsync(UploadSession session, Idempotency? idempotency, CancellationToken cancellationToken)
    {
        if (SessionGate.Refusal(session, _clock.GetUtcNow()) is not { } refusal)
            return;
        await using var db = _database.Open();
        if (idempotency is null || await idempotency.FindAsync(db, _clock.GetUtcNow(), cancellationToken) is null)
            throw refusal.ToException();
    }

    /// <summary>Writes the rows of a group of images: image, deliveries, events, counts, and what is answered to
    /// those that may be repeated.</summary>
    private async Task<IReadOnlyList<Received>> CommitAsync(AperturDb db, IReadOnlyList<Incoming> images, CancellationToken cancellationToken)
    {
        var sessions = await _database.Locked(db.Sessions, images.Select(image => image.Upload.SessionId)).AsNoTracking()
            .ToDictionaryAsync(session => session.Id, cancellationToken);
        // Whatever their state: a photo waits for one that is switched off, parked or not connected, and the pump ends it with the reason for one
        // that is gone. No photo is left without a word about each of its destinations.
        var destinationIds = sessions.Values.SelectMany(session => session.DestinationIds).ToList();
        var now = _clock.GetUtcNow();
        var destinations = destinationIds.Count == 0 ? [] : await db.Destinations.AsNoTracking()
            .Where(destination => destinationIds.Contains(destination.Id))
            .Join(db.Projects, destination => destination.ProjectId, project => project.Id, (destination, project) => new
            {
                Destination = destination,
                Project = project,
                IsAwaited = db.Deliveries.Any(row => row.DestinationId == destination.Id
                    && (row.State == DeliveryState.Pending || row.State == DeliveryState.Retrying) && row.DueAt <= now),
            })
            .ToDictionaryAsync(each => each.Destination.Id, cancellationToken);

        var events = new EventOutbox(now);
        var results = new List<Received>(images.Count);
        var uploads = new List<Upload>(images.Count);
        var deliveries = new List<DeliveryRow>(images.Count);
        foreach (var (upload, strip, idempotency, traceParent) in images)
        {
            var session = sessions.GetValueOrDefault(upload.SessionId);
            // Again, under the lock: others may have filled or closed it since the upload began, or want something removed that was not.
            var refused = session is null ? ApiErrors.NotFound
                : SessionGate.Refusal(session, now: null) ?? (session.Strip > strip ? ApiErrors.SessionChanged : null);
            if (refused is not null)
            {
                // A repeat of what was taken in before the session was over is no new image.
                var before = idempotency is null ? null : await idempotency.FindAsync(db, now, cancellationToken);
                results.Add(before is null ? new Received(null, refused) : Repeat(before, idempotency!, upload));
                continue;
            }

            SessionDestination[] to = [.. session!.DestinationIds.Select(id => destinations[id].Destination)
                .Select(destination => new SessionDestination(destination.Id, destination.Type, destination.Name))];
            var answer = Describe(upload, to.Length, session.LongPolling);
            if (idempotency is not null && await ClaimAsync(idempotency, db, answer, cancellationToken) is { } stored)
            {
                results.Add(Repeat(stored, idempotency, upload));
                continue;
            }

            results.Add(new Received(answer, null));
            uploads.Add(upload);
            deliveries.AddRange(Add(upload, session, to, events, traceParent));
            db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Store(upload);
        }

        var uploadOf = uploads.ToDictionary(upload => upload.Id);
        _claims.Claim(db, deliveries, row => destinations[row.DestinationId] is { IsAwaited: false } to
            ? new DeliverySubject(uploadOf[row.UploadId], sessions[row.SessionId], to.Project, to.Destination) : null);

        await RowInsert.AddAsync(db, _database, uploads, cancellationToken);
        await RowInsert.AddAsync(db, _database, deliveries, cancellationToken);
        await SaveAsync(db, uploads.Select(upload => upload.SessionId).ToHashSet(), sessions, cancellationToken);
        await events.WriteAsync(db, cancellationToken);
        return results;
    }

    /// <summary>Writes what <see cref="Add"/> changed of sessions.</summary>
    private async Task SaveAsync(AperturDb db, HashSet<Guid> changed, Dictionary<Guid, UploadSession> sessions, CancellationToken cancellationToken)
    {
        if (changed.Count == 0)
            return;
        const string Update =
            """
            UPDATE sessions SET opened_at = v.opened, last_changed = v.changed, over_at = v.ended, next_index = v.next,
              images_count = v.images, images_dispatched = v.dispatched, deliveries_open = v.deliveries
            FROM v WHERE sessions.id = v.id
            """;
        var rows = changed.Select(id => sessions[id]).Select(session => new object?[]
        {
            session.Id, session.OpenedAt?.ToUnixTimeMilliseconds(), session.LastChanged.ToUnixTimeMilliseconds(), session.OverAt?.ToUnixTimeMilliseconds(),
            session.NextIndex, session.ImagesCount, session.ImagesDispatched, session.DeliveriesOpen,
        });
        await _sessions.WriteAsync(db, _database, Update, rows, cancellationToken);
        db.Write.ChangedSessions.UnionWith(changed);
    }

    private Task<IdempotentAnswer?> ClaimAsync(
        Idempotency idempotency, AperturDb db, UploadResponse answer, CancellationToken cancellationToken) =>
        idempotency.ClaimAsync(
            db, idempotency.Fingerprint ?? answer.OriginalSha256 ?? answer.Sha256, JsonSerializer.Serialize(answer, WireJson.Wire.UploadResponse), _clock.GetUtcNow(), cancellationToken);

    private static Received Repeat(IdempotentAnswer stored, Idempotency idempotency, Upload upload)
    {
        var fingerprint = idempotency.Fingerprint ?? upload.SentSha256;
        return stored.Fingerprint == fingerprint
            ? new(stored.Repeat(fingerprint, WireJson.Wire.UploadResponse), null)
            : new(null, ApiErrors.IdempotencyConflict);
    }

    private static UploadResponse Describe(Upload upload, int destinations, bool longPolling) => new()
    {
        Id = upload.Id,
        Filename = upload.Filename,
        SizeBytes = upload.SizeBytes,
        Destinations = destinations,
        LongPolling = longPolling,
        Sha256 = upload.Sha256,
        OriginalSha256 = upload.OriginalSha256,
        MimeType = upload.MimeType,
        Width = upload.Width,
        Height = upload.Height,
    };

    /// <summary>Adds an image to its session, with what follows for both.</summary>
    /// <returns>A delivery for each destination; they and the image are still to be written.</returns>
    public static List<DeliveryRow> Add(
        Upload upload, UploadSession session, SessionDestination[] destinations, EventOutbox events, string? traceParent)
    {
        upload.ImageIndex = session.NextIndex++;
        upload.DestinationsTotal = destinations.Length;
        upload.DestinationTypes = [.. destinations.Select(destination => destination.Type).Order(StringComparer.Ordinal)];
        session.OpenedAt ??= upload.CreatedAt;
        session.ImagesCount++;
        session.ImagesDispatched += destinations.Length > 0 ? 1 : 0;
        session.DeliveriesOpen += destinations.Length;
        session.Touch(upload.CreatedAt);
        upload.ReadyAt = session.LastChanged;
        events.UploadStarted(upload, session);
        SessionEnd.Note(session, upload.CreatedAt, events);
        var due = Due.After(new DueEvent.Received(), upload.CreatedAt)!.Value;
        return [.. destinations.Select(destination => new DeliveryRow
        {
            Id = Guid.CreateVersion7(upload.CreatedAt),
            UploadId = upload.Id,
            SessionId = session.Id,
            DestinationId = destination.Id,
            DestinationType = destination.Type,
            DestinationName = destination.Name,
            Due = due,
            TraceParent = traceParent,
            ReceivedAt = upload.CreatedAt,
            CreatedAt = upload.CreatedAt,
            UpdatedAt = upload.CreatedAt,
        })];
    }

    private static string? SniffType(ReadOnlySequence<byte> first)
    {
        Span<byte> head = stackalloc byte[ImageHeader.SniffLength];
        var length = (int)Math.Min(first.Length, head.Length);
        first.Slice(0, length).CopyTo(head);
        return ImageHeader.TypeOf(head[..length]);
    }

    /// <param name="Upload">Its row.</param>
    /// <param name="Strip">What was removed from it.</param>
    private sealed record Incoming(Upload Upload, Strip Strip, Idempotency? Idempotency, string? TraceParent);

    /// <summary>What came of an image: an answer, with the id of an earlier image when this one is a repeat, or a refusal.</summary>
    private sealed record Received(UploadResponse? Answer, ApiError? Refused);
}

/// <summary>An image that is stored, or nearly so, and checked, but not yet received. Disposing it before that removes it.</summary>
internal sealed record StagedImage(BlobWriter Blob, string Filename, string MimeType, ImageSize? Size) : IAsyncDisposable
{
    /// <summary>Encrypted end to end: the server cannot decode it.</summary>
    public bool IsEncrypted { get; init; }

    /// <inheritdoc cref="Upload.OriginalSha256"/>
    public string? OriginalSha256 { get; init; }

    /// <inheritdoc cref="Upload.SentSha256"/>
    public string SentSha256 => OriginalSha256 ?? Blob.Sha256;

    public ValueTask DisposeAsync() => Blob.DisposeAsync();
}

/// <summary>
/// Gives the next bytes of a file on its way in, valid until the next call; empty at its end. Waits for at least <paramref name="minimum"/>
/// unless the end comes sooner.
/// </summary>
internal delegate ValueTask<ReadOnlySequence<byte>> ReadBytes(int minimum, CancellationToken cancellationToken);
