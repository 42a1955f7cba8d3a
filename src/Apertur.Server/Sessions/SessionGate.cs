using Apertur.Server.Auth;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>
/// Access to a session, for holders of its link and, where it has one, its password, and for callers of its project.
/// <see cref="Refusal(UploadSession, DateTimeOffset?)"/> is the rule that a full, closed or expired session takes no upload.
/// </summary>
internal sealed partial class SessionGate(
    Database database, SessionPasswords passwords, SharedReads reads, TimeProvider clock, ILogger<SessionGate> log)
{
    // Compiled, because every upload begins with it, and finding a query among EF Core's costs more than running it. Not static:
    // it holds on to the model of one database.
    private readonly Func<AperturDb, Guid, CancellationToken, Task<UploadSession?>> _find = EF.CompileAsyncQuery(
        (AperturDb db, Guid id, CancellationToken _) => db.Sessions.AsNoTracking().SingleOrDefault(
            session => session.Id == id
                && db.Projects.Any(p => p.Id == session.ProjectId && p.DeletedAt == null && p.DisabledAt == null)));

    private readonly Func<AperturDb, Guid, CancellationToken, Task<bool>> _exists = EF.CompileAsyncQuery(
        (AperturDb db, Guid id, CancellationToken _) => db.Sessions.Any(session => session.Id == id));

    /// <summary>The session, whatever its status. Of a protected one nothing may be told yet.</summary>
    /// <exception cref="ApiErrorException">404: no such session, or its project is disabled or gone.</exception>
    public async Task<UploadSession> FindAsync(string id, CancellationToken cancellationToken)
    {
        return await FindAsync(Ids.Parse(id), cancellationToken) ?? throw ApiErrors.NotFound.ToException();
    }

    /// <summary>The session, whatever its status; null when there is none, or its project is disabled or gone.</summary>
    public async Task<UploadSession?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await _find(db, id, cancellationToken);
    }

    /// <summary>Whether there is such a session at all.</summary>
    public async Task<bool> ExistsAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await _exists(db, id, cancellationToken);
    }

    /// <summary>The session, for a caller who has the route's role in its project.</summary>
    /// <exception cref="ApiErrorException">404, 403.</exception>
    public async Task<UploadSession> FindAsync(string id, Caller caller, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await caller.FindAsync(db.Sessions.AsNoTracking(), id, cancellationToken);
    }

    /// <summary>For a request that was let in a while ago: whether its caller would be let in now.</summary>
    /// <exception cref="ApiErrorException">
    /// 401: the key was revoked, the person has signed out or was removed, the project was disabled.
    /// </exception>
    public async Task RequireStillAsync(Caller caller, UploadSession session, CancellationToken cancellationToken)
    {
        // Everyone who waits for a session asks at the same moment.
        if (!await reads.ReadAsync(
                (caller.SignInId ?? caller.Id, session.ProjectId), () => IsStillLetInAsync(caller, session.ProjectId), cancellationToken))
        {
            throw ApiErrors.Unauthenticated("What this request was made with does not count any more.").ToException();
        }
    }

    private async Task<bool> IsStillLetInAsync(Caller caller, Guid projectId)
    {
        await using var db = database.Open();
        var projects = db.Projects.Where(p => p.Id == projectId && p.DeletedAt == null && p.DisabledAt == null);
        return caller.Key is { } key
            ? await projects.AnyAsync(p => db.ApiKeys.Any(k => k.Id == key.Id && k.IsActive))
            : await projects.AnyAsync(
                p => db.Members.Any(m => m.ProjectId == p.Id && m.UserId == caller.Id)
                    && db.SignIns.Any(s => s.Id == caller.SignInId)
                    && db.Users.Any(u => u.Id == caller.Id && u.DisabledAt == null));
    }

    /// <summary>The session, for a request that carries its password where it has one.</summary>
    /// <exception cref="ApiErrorException">404, 401 wrong or missing password, 429 too many guesses.</exception>
    public Task<UploadSession> EnterAsync(string id, HttpRequest request, CancellationToken cancellationToken) =>
        EnterAsync(id, SessionPasswords.Of(request), cancellationToken);

    /// <inheritdoc cref="EnterAsync(string, HttpRequest, CancellationToken)"/>
    public async Task<UploadSession> EnterAsync(string id, string? password, CancellationToken cancellationToken)
    {
        var session = await FindAsync(id, cancellationToken);
        return await IsVerifiedAsync(session, password, cancellationToken)
            ? session
            : throw ApiErrors.Unauthenticated($"This upload session has a password: send it as {SessionPasswords.Header}.").ToException();
    }

    /// <summary>Whether the request carries what the session asks for; false when it carries no password at all.</summary>
    /// <exception cref="ApiErrorException">401 wrong password, 429 too many guesses.</exception>
    public Task<bool> IsVerifiedAsync(UploadSession session, HttpRequest request, CancellationToken cancellationToken) =>
        IsVerifiedAsync(session, SessionPasswords.Of(request), cancellationToken);

    private async Task<bool> IsVerifiedAsync(UploadSession session, string? password, CancellationToken cancellationToken)
    {
        if (session.PasswordHash is null)
            return true;
        if (string.IsNullOrEmpty(password))
            return false;
        return await passwords.IsRightAsync(session, password, cancellationToken)
            ? true
            : throw ApiErrors.Unauthenticated("This is not the password of this upload session.").ToException();
    }

    /// <summary>Why the session takes no photo now; null when it does.</summary>
    public ApiError? Refusal(UploadSession session) => Refusal(session, clock.GetUtcNow());

    /// <summary>The rule that a session which is closed, expired or full takes no photo.</summary>
    /// <param name="session">As it stands now.</param>
    /// <param name="now">Null for a photo that began to come in before the session expired.</param>
    public static ApiError? Refusal(UploadSession session, DateTimeOffset? now) =>
        session.CompletedAt is not null ? ApiErrors.SessionCompleted
        : session.ExpiresAt <= now ? ApiErrors.SessionExpired(session.ExpiresAt)
        : session.ImagesCount >= session.MaxImages ? ApiErrors.SessionFull(session.MaxImages)
        : null;

    /// <summary>Notes that somebody has opened the page: a pending session becomes active. The page opens without that, too.</summary>
    public async Task NoteOpenedAsync(UploadSession session, CancellationToken cancellationToken)
    {
        if (session.OpenedAt is not null || Refusal(session) is not null)
            return;
        try
        {
            await MarkOpenedAsync(session, cancellationToken);
        }
        catch (Exception exception) when (StorageFault.Of(exception) != StorageFaultKind.None)
        {
            LogUnnoted(exception);
        }
    }

    private Task MarkOpenedAsync(UploadSession session, CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            var now = clock.GetUtcNow();
            var row = await database.Locked(db.Sessions, [session.Id]).SingleAsync(cancellationToken);
            row.OpenedAt ??= now;
            row.Touch(now);
        },
        cancellationToken);

    [LoggerMessage(EventName = "session.unnoted", Level = LogLevel.Warning, Message = "session.unnoted: that the page was opened could not be written")]
    private partial void LogUnnoted(Exception exception);
}
