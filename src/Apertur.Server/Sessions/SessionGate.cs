using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>The way in for whoever holds a session's link.</summary>
internal sealed class SessionGate(AperturDb db, TimeProvider clock)
{
    /// <summary>The session, whatever its status.</summary>
    /// <exception cref="ApiErrorException">404: no such session, or its project is disabled or gone.</exception>
    public async Task<UploadSession> FindAsync(string id, CancellationToken cancellationToken)
    {
        var sessionId = Ids.Parse(id);
        return await db.Sessions.AsNoTracking().SingleOrDefaultAsync(
                session => session.Id == sessionId
                    && db.Projects.Any(p => p.Id == session.ProjectId && p.DeletedAt == null && p.DisabledAt == null),
                cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
    }

    /// <summary>The session, when it takes another photo now.</summary>
    /// <exception cref="ApiErrorException">404, 409 closed, 410 expired, 422 full.</exception>
    public async Task<UploadSession> OpenForUploadAsync(string id, CancellationToken cancellationToken)
    {
        var session = await FindAsync(id, cancellationToken);
        return Refusal(session) is { } refusal ? throw refusal.ToException() : session;
    }

    /// <summary>Why the session takes no photo now; null when it does.</summary>
    public ApiError? Refusal(UploadSession session) =>
        session.CompletedAt is not null ? ApiErrors.SessionCompleted
        : session.ExpiresAt <= clock.GetUtcNow() ? ApiErrors.SessionExpired(session.ExpiresAt)
        : session.ImagesCount >= session.MaxImages ? ApiErrors.SessionFull(session.MaxImages)
        : null;

    /// <summary>Notes that somebody has opened the page: a pending session becomes active.</summary>
    public async Task NoteOpenedAsync(UploadSession session, CancellationToken cancellationToken)
    {
        if (session.OpenedAt is not null || Refusal(session) is not null)
            return;
        var now = clock.GetUtcNow();
        await db.Sessions.Where(s => s.Id == session.Id && s.OpenedAt == null).ExecuteUpdateAsync(
            s => s.SetProperty(x => x.OpenedAt, now).SetProperty(x => x.LastChanged, x => x.LastChanged > now ? x.LastChanged : now),
            cancellationToken);
    }
}
