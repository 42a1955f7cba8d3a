using System.Collections.Concurrent;
using System.Text.Json;
using Apertur.Server.Contract;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Tus;

/// <summary>
/// Receives photos in pieces, over any number of requests, connections and nodes. A new request takes over from one that hangs by closing its
/// part: of the two that want to say how long a part is, the row takes the first. When the last byte is durable the photo goes through the same
/// intake as any other, under an idempotency key, so that however often its end is repeated there is one photo and one answer.
/// </summary>
internal sealed class PartialUploads(
    Database database, IPartStore store, FolderParts spool, ImageIntake intake, EnvelopeIntake envelopes, Settings settings, TimeProvider clock)
{
    // A row says the length of each. A client on a line that breaks so often brings some hundred bytes at a time.
    private const int MostParts = 2000;

    private readonly ConcurrentDictionary<Guid, Writer> _writers = [];

    // The spool of photos that lose their metadata is a folder in any case.
    private readonly IPartStore[] _places = store == spool ? [store] : [store, spool];

    /// <summary>An upload of that session.</summary>
    /// <exception cref="ApiErrorException">404: there is none, or none any more.</exception>
    public Task<PartialUpload> FindAsync(UploadSession session, string id, CancellationToken cancellationToken) =>
        FindAsync(session.Id, Ids.Parse(id), cancellationToken);

    /// <summary>Makes an upload. Under a key that has one already, it gives that, with what is said of the photo now.</summary>
    /// <exception cref="ApiErrorException">409: something else came under that key. 429: too many were begun and not finished.</exception>
    public Task<PartialUpload> CreateAsync(
        UploadSession session, string? key, long length, string metadata, EncryptionMode mode, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                // One at a time, so that two of one key become one and none comes in over the limit.
                await database.Locked(db.Sessions, [session.Id]).SingleAsync(cancellationToken);
                var now = clock.GetUtcNow();
                if (await db.PartialUploads.SingleOrDefaultAsync(u => u.SessionId == session.Id && u.Key == key, cancellationToken) is { } known)
                {
                    if (known.Length != length || known.Encryption != mode)
                        throw ApiErrors.IdempotencyConflict.ToException();
                    // The session may ask for more by now, and this request has it.
                    known.Metadata = metadata;
                    return known;
                }

                var begun = await db.PartialUploads.CountAsync(u => u.SessionId == session.Id && u.Answer == null, cancellationToken);
                if (begun >= 2 * session.MaxImages)
                    throw ApiErrors.TooManyPartialUploads.ToException();

                var id = Guid.CreateVersion7(now);
                var upload = new PartialUpload
                {
                    Id = id,
                    SessionId = session.Id,
                    Key = key ?? $"tus {id}",
                    Length = length,
                    Metadata = metadata,
                    Encryption = mode,
                    CreatedAt = now,
                    ExpiresAt = Earlier(session.ExpiresAt, now.AddHours(settings.Storage.PartialUploadHours)),
                };
                db.PartialUploads.Add(upload);
                return upload;
            },
            cancellationToken);

    /// <summary>
    /// Closes the part that an earlier request left open, whether it still writes, broke off, or went down with its node. What is reported after
    /// that is durable and stays.
    /// </summary>
    public async Task<PartialUpload> SettleAsync(PartialUpload upload, CancellationToken cancellationToken)
    {
        while (upload.IsOpen && _writers.TryGetValue(upload.Id, out var writer))
        {
            // It closes its part itself, with all that has come; unless the store fails just then. Another may have begun the next one since.
            await writer.EndAsync().WaitAsync(cancellationToken);
            upload = await FindAsync(upload.SessionId, upload.Id, cancellationToken);
        }

        if (!upload.IsOpen)
            return upload;
        // Of a part with a checksum nobody knows whether what there is of it is right.
        var length = upload.IsChecked ? 0 : await store.CloseAsync(upload.Id, upload.Parts.Length, cancellationToken);
        return await CloseAsync(upload, length, cancellationToken);
    }

    /// <summary>Adds the bytes of one request. What has come stays also when the request breaks off.</summary>
    /// <param name="upload">As <see cref="SettleAsync"/> gave it.</param>
    /// <param name="session">Whose photo it is: what it would not take is refused, and forgotten, with the first bytes.</param>
    /// <param name="offset">Where the client says that they begin.</param>
    /// <param name="read">Reads them.</param>
    /// <param name="checksum">What they must have, all together; null when the client did not say.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ApiErrorException">
    /// 409: they begin elsewhere, or another request has taken over. 413: they are more than was announced. 460: the checksum is another one.
    /// </exception>
    public async Task<PartialUpload> AppendAsync(
        PartialUpload upload, UploadSession session, long offset, ReadBytes read, UploadChecksum? checksum, CancellationToken cancellationToken)
    {
        if (offset != upload.Offset)
            throw ApiErrors.OffsetConflict.ToException();
        if (upload.Parts.Length >= MostParts)
            throw ApiErrors.Validation(TusHeaders.Offset, $"An upload may come in {MostParts} pieces. Send larger ones.").ToException();
        if (upload.Offset == upload.Length)
            return upload;

        upload = await OpenAsync(upload, checksum is not null, cancellationToken);
        using var writer = new Writer();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, writer.Taken);
        _writers[upload.Id] = writer;
        var (counts, isRefused) = (false, false);
        IPartWriter? part = null;
        try
        {
            part = store.Create(upload.Id, upload.Parts.Length);
            // Whatever has come is taken at once: what a reader still holds when the line breaks is lost.
            for (var chunk = await read(ImageHeader.SniffLength, either.Token); !chunk.IsEmpty; chunk = await read(1, either.Token))
            {
                if (offset + part.Length == 0 && upload.Encryption == EncryptionMode.None && chunk.Length >= ImageHeader.SniffLength)
                    ImageIntake.TypeOf(chunk, session);
                if (offset + part.Length + chunk.Length > upload.Length)
                    throw ApiErrors.LongerThanAnnounced.ToException();
                await part.AppendAsync(chunk, either.Token);
                checksum?.Append(chunk);
            }

            counts = checksum?.IsRight() ?? true;
        }
        catch (ApiErrorException refusal)
        {
            isRefused = refusal.Error.StatusCode == StatusCodes.Status415UnsupportedMediaType;
            throw;
        }
        catch (Exception)
        {
            counts = checksum is null;
            if (writer.Taken.IsCancellationRequested)
                throw ApiErrors.OffsetConflict.ToException();
            throw;
        }
        finally
        {
            try
            {
                // The request may be over; its bytes are here.
                upload = await CloseAsync(upload, part, counts);
            }
            finally
            {
                _writers.TryRemove(new(upload.Id, writer));
                writer.HasEnded();
            }

            if (isRefused)
                await RemoveAsync(upload, CancellationToken.None);
        }

        return counts ? upload : throw ApiErrors.ChecksumMismatch.ToException();
    }

    /// <summary>
    /// Receives the photo when all of it is here. Before this has succeeded nobody is told that all of it is: its end can be asked for again.
    /// </summary>
    /// <exception cref="ApiErrorException">The session does not take the photo.</exception>
    public async Task<PartialUpload> FinishAsync(PartialUpload upload, UploadSession session, CancellationToken cancellationToken)
    {
        if (upload.Answer is not null || upload.Offset < upload.Length)
            return upload;
        try
        {
            var answer = await ReceiveAsync(upload, session, cancellationToken);
            return await KeepAsync(upload, session, JsonSerializer.Serialize(answer, WireJson.Wire.UploadResponse), cancellationToken);
        }
        catch (ApiErrorException refusal) when (refusal.Error.StatusCode is 400 or 413 or 415)
        {
            // It would never be taken.
            await RemoveAsync(upload, CancellationToken.None);
            throw;
        }
        catch (IOException failure) when (failure is FileNotFoundException or EndOfStreamException)
        {
            // Another request was faster, or the part is gone as after an older backup was put back: then it has to be sent again.
            var now = await FindAsync(session, upload.Id.ToString(), cancellationToken);
            if (now.Answer is not null)
                return now;
            await RemoveAsync(upload, CancellationToken.None);
            throw ApiErrors.NotFound.ToException();
        }
    }

    /// <summary>The answer that a photo was received with; null until it was.</summary>
    public static UploadResponse? AnswerOf(PartialUpload upload) =>
        upload.Answer is null ? null : JsonSerializer.Deserialize(upload.Answer, WireJson.Wire.UploadResponse);

    /// <summary>Forgets an upload with all that has come of it. A photo that was received stays.</summary>
    public async Task RemoveAsync(PartialUpload upload, CancellationToken cancellationToken)
    {
        await database.WriteAsync(
            db => db.PartialUploads.Where(u => u.Id == upload.Id).ExecuteDeleteAsync(cancellationToken), cancellationToken);
        if (_writers.TryGetValue(upload.Id, out var writer))
            await writer.EndAsync().WaitAsync(cancellationToken);
        await store.DeleteAsync(upload.Id, upload.Parts.Length + 1);
    }

    /// <summary>Forgets what has expired, and removes parts that no row knows.</summary>
    /// <param name="safeAge">Parts that are younger may be of an upload that is being made.</param>
    /// <param name="cancellationToken">Ends it between two of them.</param>
    public async Task RemoveExpiredAsync(TimeSpan safeAge, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        List<PartialUpload> expired;
        await using (var db = database.Open())
            expired = await db.PartialUploads.Where(upload => upload.ExpiresAt <= now).OrderBy(upload => upload.ExpiresAt).Take(1000).ToListAsync(cancellationToken);
        foreach (var upload in expired)
            await RemoveAsync(upload, cancellationToken);

        foreach (var place in _places)
            await RemoveUnknownAsync(place, now - safeAge, cancellationToken);
    }

    /// <summary>Removes what a crash left in this node's own spool. Where parts are in the same folder nothing happens: they are everybody's.</summary>
    /// <inheritdoc cref="RemoveExpiredAsync"/>
    public Task SweepSpoolAsync(TimeSpan safeAge, CancellationToken cancellationToken) =>
        store == spool ? Task.CompletedTask : RemoveUnknownAsync(spool, clock.GetUtcNow() - safeAge, cancellationToken);

    private async Task RemoveUnknownAsync(IPartStore place, DateTimeOffset olderThan, CancellationToken cancellationToken)
    {
        await foreach (var batch in place.OlderThanAsync(olderThan, cancellationToken).Distinct().Chunk(500).WithCancellation(cancellationToken))
        {
            await using var db = database.Open();
            var known = await db.PartialUploads.Where(u => batch.Contains(u.Id) && u.Answer == null).Select(u => u.Id)
                .ToListAsync(cancellationToken);
            foreach (var id in batch.Except(known))
                await place.DeleteAsync(id, MostParts + 1);
        }
    }

    private async Task<PartialUpload> FindAsync(Guid session, Guid id, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using var db = database.Open();
        return await db.PartialUploads.SingleOrDefaultAsync(
            upload => upload.Id == id && upload.SessionId == session && upload.ExpiresAt > now, cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
    }

    private Task<PartialUpload> OpenAsync(PartialUpload seen, bool isChecked, CancellationToken cancellationToken) =>
        ChangeAsync(
            seen, upload =>
            {
                if (upload.IsOpen || upload.Parts.Length != seen.Parts.Length)
                    throw ApiErrors.OffsetConflict.ToException();
                (upload.IsOpen, upload.IsChecked) = (true, isChecked);
            },
            cancellationToken);

    /// <summary>Closes a writer's own part.</summary>
    private async Task<PartialUpload> CloseAsync(PartialUpload seen, IPartWriter? part, bool counts)
    {
        var length = 0L;
        await using (part)
        {
            if (counts && part is not null)
            {
                await part.SyncAsync(CancellationToken.None);
                length = part.Length;
            }
        }

        return await CloseAsync(seen, length, CancellationToken.None);
    }

    /// <summary>Says how long the open part is, unless somebody has said so already.</summary>
    private Task<PartialUpload> CloseAsync(PartialUpload seen, long length, CancellationToken cancellationToken) =>
        ChangeAsync(
            seen, upload =>
            {
                if (upload.Parts.Length != seen.Parts.Length)
                    return;
                upload.Parts = [.. upload.Parts, length];
                upload.IsOpen = false;
            },
            cancellationToken);

    /// <summary>What the photo of an upload is received under, once.</summary>
    public Idempotency KeyOf(PartialUpload upload, UploadSession session) =>
        new(UploadApi.ScopeOf(session), upload.Key, settings.Retention.IdempotencyTime);

    private async Task<PartialUpload> KeepAsync(PartialUpload seen, UploadSession session, string answer, CancellationToken cancellationToken)
    {
        var finished = await ChangeAsync(
            seen, upload =>
            {
                upload.Answer ??= answer;
                // As long as the link can be opened, and its pages may come back to ask.
                upload.ExpiresAt = session.ExpiresAt + settings.Retention.IdempotencyTime;
            },
            cancellationToken);
        await store.DeleteAsync(seen.Id, seen.Parts.Length);
        return finished;
    }

    private Task<PartialUpload> ChangeAsync(PartialUpload seen, Action<PartialUpload> change, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var upload = await database.Locked(db.PartialUploads, [seen.Id]).SingleOrDefaultAsync(cancellationToken)
                    ?? throw ApiErrors.NotFound.ToException();
                change(upload);
                return upload;
            },
            cancellationToken);

    private async Task<UploadResponse> ReceiveAsync(PartialUpload upload, UploadSession session, CancellationToken cancellationToken)
    {
        var metadata = UploadMetadata.Parse(upload.Metadata, session);
        await using var parts = new PartsReader(store, upload);
        ReadBytes read = (_, stop) => parts.ReadAsync(stop);
        await using var image = upload.Encryption == EncryptionMode.None
            ? await intake.StageAsync(read, metadata.Filename, session, cancellationToken)
            : await envelopes.StageAsync(read, metadata.Filename ?? "", metadata.Sent, session, upload.Encryption, cancellationToken);
        if (metadata.Sha256 is { } said && said != image.SentSha256 && said != parts.Sha256)
            throw ApiErrors.DigestMismatch.ToException();
        return await intake.ReceiveAsync(
            image, session, UploadFields.Of(metadata.Sent), KeyOf(upload, session), cancellationToken);
    }

    /// <summary>A request of this node that is writing a part.</summary>
    private sealed class Writer : IDisposable
    {
        private readonly CancellationTokenSource _taken = new();
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Cancelled when another request takes over.</summary>
        public CancellationToken Taken => _taken.Token;

        /// <summary>Takes over: returns when the part is closed.</summary>
        public async Task EndAsync()
        {
            try
            {
                await _taken.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It has ended by itself.
            }

            await _ended.Task;
        }

        public void HasEnded() => _ended.SetResult();

        public void Dispose() => _taken.Dispose();
    }

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
}
