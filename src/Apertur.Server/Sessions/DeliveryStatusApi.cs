using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Server.Thumbnails;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>Where each image of a session is on its way to each destination.</summary>
internal static class DeliveryStatusApi
{
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(5);

    /// <summary>With <c>pollFrom</c> held until something has changed since, at most five minutes.</summary>
    public static async Task<Ok<DeliveryStatusResponse>> Get(
        string id, HttpRequest request, Caller caller, SessionGate gate, Database database, ThumbnailStore thumbnails, LongPoll poll,
        SharedReads reads, TimeProvider clock, CancellationToken cancellationToken)
    {
        var pollFrom = PollFrom(request);
        var session = await gate.FindAsync(id, caller, cancellationToken);
        var latest = await poll.HoldAsync(
            session,
            caller,
            pollFrom is null ? TimeSpan.Zero : _longest,
            () => FindAsync(session.Id, database),
            found => found.LastChanged > pollFrom,
            cancellationToken);
        // Read after the session: what is in here may be newer than lastChanged says, never older.
        return TypedResults.Ok(new DeliveryStatusResponse
        {
            Status = latest.Status(clock.GetUtcNow()),
            LastChanged = latest.LastChanged,
            Files = await reads.ReadAsync(
                (session.Id, typeof(FileStatus)), () => FilesAsync(session.Id, database, thumbnails), cancellationToken),
        });
    }

    private static DateTimeOffset? PollFrom(HttpRequest request)
    {
        // A plus sign that was not encoded arrives as a space.
        var text = request.Query["pollFrom"].ToString().Replace(' ', '+');
        if (text.Length == 0)
            return null;
        return InstantJson.TryParse(text, out var instant)
            ? instant
            : throw ApiErrors.Validation("pollFrom", "pollFrom must be an ISO 8601 instant such as 2026-06-12T09:44:41.919Z.")
                .ToException();
    }

    private static async Task<UploadSession> FindAsync(Guid id, Database database)
    {
        await using var db = database.Open();
        return await db.Sessions.AsNoTracking().SingleOrDefaultAsync(session => session.Id == id)
            ?? throw ApiErrors.NotFound.ToException();
    }

    private static async Task<IReadOnlyList<FileStatus>> FilesAsync(Guid sessionId, Database database, ThumbnailStore thumbnails)
    {
        await using var db = database.Open();
        var uploads = await db.Uploads.AsNoTracking()
            .Where(upload => upload.SessionId == sessionId)
            .OrderBy(upload => upload.ImageIndex)
            .ToListAsync();
        var rows = await db.Deliveries.AsNoTracking()
            .Where(row => row.SessionId == sessionId)
            .OrderBy(row => row.Id)
            .ToListAsync();
        var deliveries = rows.ToLookup(row => row.UploadId);
        var files = new List<FileStatus>(uploads.Count);
        foreach (var upload in uploads)
        {
            files.Add(new FileStatus
            {
                RecordId = upload.Id,
                Filename = upload.Filename,
                SizeBytes = upload.SizeBytes,
                HasThumbnail = await thumbnails.HasAsync(upload, CancellationToken.None),
                Destinations =
                [
                    .. deliveries[upload.Id].Select(row => new FileDestination
                    {
                        DestinationId = row.DestinationId,
                        Type = row.DestinationType,
                        Name = row.DestinationName,
                        Status = row.State.WireName(),
                        Attempts = row.Attempts,
                        LastError = row.LastError,
                    }),
                ],
            });
        }

        return files;
    }
}
