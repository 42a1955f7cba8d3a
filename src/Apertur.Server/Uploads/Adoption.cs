using Apertur.Server.Audit;
using Apertur.Server.Contract;
using Apertur.Server.Events;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>
/// Recreates rows for stored photos that have none, as after an older database was put back: in a session of their own, with deliveries to
/// the destinations that somebody names. A photo keeps the id that its file has, so it is adopted once, however often this runs; its file is
/// in its place before its row is written, so a run that is cut off leaves what the next one takes up.
/// </summary>
internal sealed class Adoption(Database database, Quarantine quarantine, Settings settings, TimeProvider clock)
{
    /// <param name="files">What to adopt; each must be a photo.</param>
    /// <param name="projectId">Whose they become.</param>
    /// <param name="env">In which of its environments.</param>
    /// <param name="destinationIds">Where they are delivered to; none when they are only to be stored.</param>
    /// <param name="cancellationToken">Ends it between two sessions.</param>
    /// <returns>The new sessions, each of as many photos as this server allows in one, and who is in them.</returns>
    public async Task<IReadOnlyList<(Guid Session, IReadOnlyList<Guid> Photos)>> RunAsync(
        IEnumerable<OrphanedFile> files, Guid projectId, Env env, IReadOnlyCollection<Guid> destinationIds, CancellationToken cancellationToken)
    {
        var adopted = new List<(Guid, IReadOnlyList<Guid>)>();
        foreach (var batch in files.OrderBy(file => file.Id.ToString(), StringComparer.Ordinal).Chunk(settings.Limits.MaxImagesPerSession))
        {
            var inPlace = new List<OrphanedFile>();
            foreach (var file in batch)
            {
                if (file.QuarantinedOn is not { } since || await quarantine.ReturnAsync(file.Id, since, cancellationToken))
                    inPlace.Add(file);
            }

            var session = Guid.NewGuid();
            var photos = await database.WriteAsync(
                db => AdoptAsync(db, session, inPlace, projectId, env, destinationIds, cancellationToken), cancellationToken);
            if (photos.Count > 0)
                adopted.Add((session, photos));
        }

        return adopted;
    }

    private async Task<IReadOnlyList<Guid>> AdoptAsync(
        AperturDb db, Guid sessionId, List<OrphanedFile> files, Guid projectId, Env env, IReadOnlyCollection<Guid> destinationIds,
        CancellationToken cancellationToken)
    {
        // One at a time: another run must see the rows that this one writes.
        var owner = await db.ImagesOwnership.Select(own => own.Id).SingleAsync(cancellationToken);
        await database.Locked(db.ImagesOwnership, [owner]).SingleAsync(cancellationToken);
        var ids = files.Select(file => file.Id).ToList();
        var known = await db.Uploads.Where(upload => ids.Contains(upload.Id)).Select(upload => upload.Id).ToHashSetAsync(cancellationToken);
        var orphans = files.FindAll(file => !known.Contains(file.Id));
        if (orphans.Count == 0)
            return [];

        var now = clock.GetUtcNow();
        SessionDestination[] destinations = [.. await db.Destinations
            .Where(d => d.ProjectId == projectId && d.DeletedAt == null && destinationIds.Contains(d.Id))
            .Select(d => new SessionDestination(d.Id, d.Type, d.Name)).ToListAsync(cancellationToken)];
        var session = new UploadSession
        {
            Id = sessionId,
            ProjectId = projectId,
            KeyId = null,
            Env = env,
            Label = "Adopted photos",
            DestinationIds = [.. destinations.Select(destination => destination.Id)],
            DestinationsCount = destinations.Length,
            LongPolling = false,
            MaxImages = orphans.Count,
            MaxImageSizeMb = settings.Limits.MaxImageSizeMb,
            CreatedAt = now,
            ExpiresAt = now,
            LastChanged = now,
        };
        db.Sessions.Add(session);
        await db.SaveChangesAsync(cancellationToken);

        var events = new EventOutbox(now);
        db.Counts.For(projectId, session.Env, now).Sessions++;
        events.SessionCreated(session);
        foreach (var file in orphans)
        {
            var upload = Describe(file, session);
            db.Deliveries.AddRange(ImageIntake.Add(upload, session, destinations, events, traceParent: null));
            db.Uploads.Add(upload);
            db.Counts.For(projectId, upload.Env, upload.CreatedAt).Store(upload);
        }

        await db.SaveChangesAsync(cancellationToken);
        await events.WriteAsync(db, cancellationToken);
        AuditLog.AddOperator(db, projectId, "uploads.adopt", session.Id, now);
        return orphans.ConvertAll(file => file.Id);
    }

    private static Upload Describe(OrphanedFile file, UploadSession session) => new()
    {
        Id = file.Id,
        SessionId = session.Id,
        ProjectId = session.ProjectId,
        Env = session.Env,
        Filename = file.IsEncrypted ? Filenames.Sealed(file.Id.ToString()) : Filenames.Sanitise(file.Id.ToString(), file.MimeType!),
        SizeBytes = file.SizeBytes,
        MimeType = file.MimeType!,
        Fields = UploadFields.Of(new SentFields(session)),
        Sha256 = file.Sha256!,
        Width = file.Size?.Width,
        Height = file.Size?.Height,
        IsEncrypted = file.IsEncrypted,
        // The id was made when the photo came in.
        CreatedAt = BlobStore.TimeOf(file.Id),
    };
}
