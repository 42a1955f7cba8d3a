using Apertur.Server.Auth;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>
/// The way in to a session: for whoever holds its link and, where it has one, its password; and for callers of its project.
/// </summary>
internal sealed class SessionGate(Database database, SessionPasswords passwords, SessionNotifier notifier, TimeProvider clock)
{
    // Compiled, because every upload begins with it, and finding a query among EF Core's costs more than running it. Not static:
    // it holds on to the model of one database.
    private readonly Func<AperturDb, Guid, CancellationToken, Task<UploadSession?>> _find = EF.CompileAsyncQuery(
        (AperturDb db, Guid id, CancellationToken _) => db.Sessions.AsNoTracking().SingleOrDefault(
            session => session.Id == id
                && db.Projects.Any(p => p.Id == session.ProjectId && p.DeletedAt == null && p.DisabledAt == null)));

    /// <summary>The session, whatever its status. Of a protected one nothing may be told yet.</summary>
    /// <exception cref="ApiErrorException">404: no such session, or its project is disabled or gone.</exception>
    public async Task<UploadSession> FindAsync(string id, CancellationToken cancellationToken)
    {
        var sessionId = Ids.Parse(id);
        await using var db = database.Open();
        return await _find(db, sessionId, cancellationToken) ?? throw ApiErrors.NotFound.ToException();
    }

    /// <summary>The session, for a caller who may see it and has at least that role in its project.</summary>
    /// <exception cref="ApiErrorException">404, 403.</exception>
    public async Task<UploadSession> FindAsync(string id, Caller caller, Role least, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var session = await caller.FindAsync(db.Sessions.AsNoTracking(), id, cancellationToken);
        caller.Require(session.ProjectId, least);
        return session;
    }

    /// <summary>For a request that was let in a while ago: whether its caller would be let in now.</summary>
    /// <exception cref="ApiErrorException">
    /// 401: the key was revoked, the person has signed out or was removed, the project was disabled.
    /// </exception>
    public async Task RequireStillAsync(Caller caller, UploadSession session, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var projects = db.Projects.Where(p => p.Id == session.ProjectId && p.DeletedAt == null && p.DisabledAt == null);
        var counts = caller.Key is { } key
            ? await projects.AnyAsync(p => db.ApiKeys.Any(k => k.Id == key.Id && k.IsActive), cancellationToken)
            : await projects.AnyAsync(
                p => db.Members.Any(m => m.ProjectId == p.Id && m.UserId == caller.Id)
                    && db.SignIns.Any(s => s.Id == caller.SignInId)
                    && db.Users.Any(u => u.Id == caller.Id && u.DisabledAt == null),
                cancellationToken);
        if (!counts)
            throw ApiErrors.Unauthenticated("What this request was made with does not count any more.").ToException();
    }

    /// <summary>The session, for a request that carries its password where it has one.</summary>
    /// <exception cref="ApiErrorException">404, 401 wrong or missing password, 429 too many guesses.</exception>
    public async Task<UploadSession> EnterAsync(string id, HttpRequest request, CancellationToken cancellationToken)
    {
        var session = await FindAsync(id, cancellationToken);
        return await IsVerifiedAsync(session, request, cancellationToken)
            ? session
            : throw ApiErrors.Unauthenticated($"This upload session has a password: send it as {SessionPasswords.Header}.")
                .ToException();
    }

    /// <summary>Whether the request carries what the session asks for; false when it carries no password at all.</summary>
    /// <exception cref="ApiErrorException">401 wrong password, 429 too many guesses.</exception>
    public async Task<bool> IsVerifiedAsync(UploadSession session, HttpRequest request, CancellationToken cancellationToken)
    {
        if (session.PasswordHash is null)
            return true;
        var given = request.Headers[SessionPasswords.Header].ToString();
        if (given.Length == 0)
            return false;
        return await passwords.IsRightAsync(session, given, cancellationToken)
            ? true
            : throw ApiErrors.Unauthenticated("This is not the password of this upload session.").ToException();
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
        await database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var row = await database.Locked(db.Sessions, [session.Id]).SingleAsync(cancellationToken);
                if (row.OpenedAt is not null)
                    return;
                row.OpenedAt = now;
                row.Touch(now);
            },
            cancellationToken);
        notifier.Publish([session.Id]);
    }
}
