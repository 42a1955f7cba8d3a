using Apertur.Server.Events;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>Who is on the page of a session, what Done ends for whom, and what a visitor may take back until then.</summary>
internal sealed class Visitors(Database database, UploadDeletion deletion, TimeProvider clock)
{
    /// <summary>Of one session: more come from somebody who makes them up.</summary>
    private const int Most = 2000;

    /// <summary>Of one photo.</summary>
    private const int MaxCaptionChanges = 100;

    /// <returns>The id that a request names; null when it names none.</returns>
    /// <exception cref="ApiErrorException">400: it is no UUID.</exception>
    public static Guid? Of(HttpRequest request) => request.Query["visitor"].ToString() switch
    {
        "" => null,
        var text => Ids.TryParse(text, out var id) ? id : throw ApiErrors.Validation("visitor", "visitor must be a UUID.").ToException(),
    };

    /// <summary>Notes that a visitor has opened a page (1) or left one (-1).</summary>
    public Task CountPagesAsync(Guid sessionId, Guid visitor, int more, CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            await database.Locked(db.Sessions, [sessionId]).SingleOrDefaultAsync(cancellationToken);
            if (await FindAsync(db, sessionId, visitor, cancellationToken) is { } row)
                row.Pages = Math.Max(0, row.Pages + more);
        },
        cancellationToken);

    /// <summary>Done, as pressed by that visitor, or said by a client that knows of no visitors.</summary>
    /// <returns>The session as it stands then.</returns>
    public Task<UploadSession> CompleteAsync(Guid sessionId, Guid? visitor, CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            var now = clock.GetUtcNow();
            var session = await database.Locked(db.Sessions, [sessionId]).SingleAsync(cancellationToken);
            var scope = session.Done ?? (await IsAloneAsync(db, sessionId, visitor, cancellationToken) ? DoneScope.Session : DoneScope.Visitor);
            if (visitor is { } id && await FindAsync(db, sessionId, id, cancellationToken) is { } row)
                row.DoneAt = now;
            if (scope != DoneScope.Session)
                return session;

            if (session.Status(now) is "pending" or "active")
                session.CompletedAt = now;
            var events = new EventOutbox(now);
            SessionEnd.Note(session, now, events);
            await events.WriteAsync(db, cancellationToken);
            return session;
        },
        cancellationToken);

    /// <summary>Takes back a photo that the visitor has sent.</summary>
    /// <exception cref="ApiErrorException">404: there is none of this visitor's. 403: the session does not allow it. 409: too late.</exception>
    public async Task WithdrawAsync(UploadSession session, Guid? visitor, Guid image, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var upload = await OwnAsync(
            db, session, visitor, image, session.AllowWithdraw, "Photos of this upload session cannot be taken back.", cancellationToken);
        if (!await deletion.RunAsync(upload, cancellationToken))
            throw ApiErrors.NotFound.ToException();
    }

    /// <summary>Gives a photo that the visitor has sent another caption, or takes it away. What is told of the photo from now on carries it.</summary>
    /// <exception cref="ApiErrorException">404: there is none of this visitor's. 403: the session does not allow it. 409: too late, or too often.</exception>
    public Task<Upload> CaptionAsync(Guid sessionId, Guid? visitor, Guid image, string? caption, CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            var now = clock.GetUtcNow();
            var session = await database.Locked(db.Sessions, [sessionId]).SingleAsync(cancellationToken);
            var upload = await OwnAsync(
                db, session, visitor, image, session.AllowCaptions, "Photos of this upload session have no captions.", cancellationToken);
            if (upload.Fields.Caption == caption)
                return upload;
            // Each is told to everybody who listens.
            if (upload.CaptionChanges++ >= MaxCaptionChanges)
                throw ApiErrors.TooLate.ToException();

            upload.Fields = upload.Fields with { Caption = caption };
            session.Touch(now);
            var events = new EventOutbox(now);
            events.UploadCaptioned(upload, session);
            await events.WriteAsync(db, cancellationToken);
            return upload;
        },
        cancellationToken);

    /// <summary>A photo that the visitor has sent and may still do something about.</summary>
    private async Task<Upload> OwnAsync(
        AperturDb db, UploadSession session, Guid? visitor, Guid image, bool isAllowed, string otherwise, CancellationToken cancellationToken)
    {
        var name = visitor?.ToString();
        var upload = await db.Uploads.SingleOrDefaultAsync(
            u => u.Id == image && u.SessionId == session.Id && name != null && u.Fields.Visitor == name, cancellationToken);
        if (upload is null)
            throw ApiErrors.NotFound.ToException();
        if (!isAllowed)
            throw ApiErrors.Forbidden(otherwise).ToException();
        var row = await db.Visitors.AsNoTracking().SingleOrDefaultAsync(v => v.SessionId == session.Id && v.Id == visitor, cancellationToken);
        return session.CompletedAt is not null || session.ExpiresAt <= clock.GetUtcNow() || row?.DoneAt >= upload.CreatedAt
            ? throw ApiErrors.TooLate.ToException()
            : upload;
    }

    /// <summary>Whether nobody else has the link open or has sent anything. Who says nothing of visitors means the session.</summary>
    private static async Task<bool> IsAloneAsync(AperturDb db, Guid sessionId, Guid? visitor, CancellationToken cancellationToken)
    {
        if (visitor is not { } id)
            return true;
        var name = id.ToString();
        return !await db.Visitors.AnyAsync(v => v.SessionId == sessionId && v.Id != id && v.Pages > 0, cancellationToken)
            && !await db.Uploads.AnyAsync(
                u => u.SessionId == sessionId && (u.Fields.Visitor == null || u.Fields.Visitor != name), cancellationToken);
    }

    private static async Task<Visitor?> FindAsync(AperturDb db, Guid sessionId, Guid visitor, CancellationToken cancellationToken)
    {
        if (await db.Visitors.SingleOrDefaultAsync(v => v.SessionId == sessionId && v.Id == visitor, cancellationToken) is { } known)
            return known;
        if (await db.Visitors.CountAsync(v => v.SessionId == sessionId, cancellationToken) >= Most)
            return null;
        var row = new Visitor { SessionId = sessionId, Id = visitor };
        db.Visitors.Add(row);
        return row;
    }
}
