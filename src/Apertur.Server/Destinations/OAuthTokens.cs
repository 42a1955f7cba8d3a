using System.Collections.Concurrent;
using Apertur.Destinations;
using Apertur.Server.Events;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>
/// Access tokens for destinations that a person has connected. They are kept in the database, so that all workers and nodes use one, and
/// renewed by one of them at a time while the others wait for its result.
/// </summary>
/// <remarks>
/// A provider may replace the refresh token with every renewal, and the old one may be dead from then on. So the order is: take the turn
/// (committed), ask, commit what came, and only then use it. Asking is not broken off when a delivery or the server stops; and it ends
/// well before the turn does, so that nobody asks with a token that an answer under way replaces. What is left is a crash between the
/// provider's answer and our commit: then the old token is tried again, and if it is dead the owner has to connect again.
/// </remarks>
internal sealed partial class OAuthTokens(Database database, ColumnEncryption encryption, TimeProvider clock, ILogger<OAuthTokens> log)
{
    private static readonly TimeSpan _askTime = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan _turn = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(250);

    // A token that is about to end would end during a long upload.
    private static readonly TimeSpan _margin = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<Guid, Lazy<Task<Access>>> _renewals = new();

    /// <summary>
    /// Calls a destination with a valid access token, and once more with a new one when it says that the token was not accepted. One that
    /// nobody has connected is called with none.
    /// </summary>
    public async Task<DeliveryOutcome> UseAsync(
        OAuthFlow flow, Guid destinationId, Func<Access, Task<DeliveryOutcome>> act, CancellationToken cancellationToken)
    {
        var access = await GetAsync(destinationId, flow, cancellationToken);
        if (access.Refused is not null)
            return access.Refused;

        var outcome = await act(access);
        if (outcome.Status != StatusCodes.Status401Unauthorized || access.Token is null)
            return outcome;

        await DropAsync(destinationId, access.Version);
        access = await GetAsync(destinationId, flow, cancellationToken);
        return access.Refused ?? await act(access);
    }

    /// <summary>Stores a new grant and resumes the destination.</summary>
    /// <returns>False when the destination was deleted meanwhile.</returns>
    public Task<bool> ConnectAsync(Guid destinationId, OAuthAnswer.Granted granted, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var destination = await database.Locked(db.Destinations, [destinationId]).SingleOrDefaultAsync(cancellationToken);
                if (destination is null || destination.DeletedAt is not null)
                    return false;

                var now = clock.GetUtcNow();
                await db.OAuthGrants.Where(grant => grant.Id == destinationId).ExecuteDeleteAsync(cancellationToken);
                db.OAuthGrants.Add(new OAuthGrant
                {
                    Id = destinationId,
                    RefreshToken = encryption.Protect(OAuthGrant.RefreshTokenColumn, destinationId, granted.RefreshToken!),
                    AccessToken = encryption.Protect(OAuthGrant.AccessTokenColumn, destinationId, granted.AccessToken),
                    AccessUntil = Until(granted),
                    Version = Guid.CreateVersion7(now),
                    ConnectedAt = now,
                });
                destination.IsActive = true;
                destination.UpdatedAt = now;
                await DestinationSuspension.ResumeAsync(db, destination, now, cancellationToken);
                return true;
            },
            cancellationToken);

    private async Task<Access> GetAsync(Guid id, OAuthFlow flow, CancellationToken cancellationToken)
    {
        if (await ReadAsync(id) is { } current)
            return current;
        return await _renewals.GetOrAdd(id, _ => new(() => RenewAsync(id, flow))).Value.WaitAsync(cancellationToken);
    }

    /// <returns>Null when there is a grant, but its access token has to be renewed.</returns>
    private async Task<Access?> ReadAsync(Guid id)
    {
        await using var db = database.Open();
        var grant = await db.OAuthGrants.AsNoTracking().SingleOrDefaultAsync(g => g.Id == id);
        if (grant is null)
            return Access.None;
        return grant.AccessToken is { } token && grant.AccessUntil > clock.GetUtcNow()
            ? new Access(encryption.Unprotect(OAuthGrant.AccessTokenColumn, id, token), grant.Version, grant.ConnectedAt)
            : null;
    }

    /// <summary>Renews the token, once for all that wait for it in this process.</summary>
    private async Task<Access> RenewAsync(Guid id, OAuthFlow flow)
    {
        try
        {
            while (true)
            {
                if (await ReadAsync(id) is { } renewed)
                    return renewed;

                var (grant, isOurs) = await TakeTurnAsync(id);
                if (isOurs && await AskAsync(grant!, flow) is { } asked)
                    return asked;
                // Another node is asking: its answer comes, or its turn ends. Whatever else was found is another grant, to be read at once.
                if (!isOurs && IsSomebodysTurn(grant, clock.GetUtcNow()))
                    await Task.Delay(_pause, clock);
            }
        }
        finally
        {
            _renewals.TryRemove(id, out _);
        }
    }

    /// <returns>The grant as it is, and whether this process is its refresher now; null when there is none.</returns>
    private Task<(OAuthGrant? Grant, bool IsOurs)> TakeTurnAsync(Guid id) =>
        database.WriteAsync<(OAuthGrant? Grant, bool IsOurs)>(
            async db =>
            {
                var now = clock.GetUtcNow();
                var grant = await database.Locked(db.OAuthGrants, [id]).SingleOrDefaultAsync();
                if (grant is null || IsSomebodysTurn(grant, now) || (grant.AccessToken is not null && grant.AccessUntil > now))
                    return (grant, false);

                grant.Refresher = Guid.CreateVersion7(now);
                grant.RefreshUntil = now + _turn;
                return (grant, true);
            },
            CancellationToken.None);

    // A turn that ends later than any can is from before the clock was set back.
    private static bool IsSomebodysTurn(OAuthGrant? grant, DateTimeOffset now) => grant?.RefreshUntil > now && grant.RefreshUntil <= now + _turn;

    /// <returns>Null when the answer counts no more, because somebody has connected again meanwhile.</returns>
    private async Task<Access?> AskAsync(OAuthGrant grant, OAuthFlow flow)
    {
        OAuthAnswer answer;
        try
        {
            using var time = new CancellationTokenSource(_askTime, clock);
            answer = await flow.RefreshAsync(encryption.Unprotect(OAuthGrant.RefreshTokenColumn, grant.Id, grant.RefreshToken), time.Token);
        }
        catch (OperationCanceledException)
        {
            answer = new OAuthAnswer.TryAgain("The provider's token endpoint did not answer in time.");
        }

        LogRenewal(grant.Id, answer.GetType().Name);
        switch (answer)
        {
            case OAuthAnswer.Granted granted:
                return await StoreAsync(grant, granted);

            case OAuthAnswer.Revoked revoked:
                return await EndAsync(grant, revoked.Reason) ? Access.No(new DeliveryOutcome.Broken(revoked.Reason)) : null;

            case OAuthAnswer.Misconfigured misconfigured:
                await GiveTurnBackAsync(grant);
                // The operator mends it, at once for all owners: nothing may wait until each of them has acted.
                return Access.No(new DeliveryOutcome.TryAgain(misconfigured.Reason));

            case OAuthAnswer.TryAgain again:
                await GiveTurnBackAsync(grant);
                return Access.No(new DeliveryOutcome.TryAgain(again.Reason, again.After));

            default:
                throw new InvalidOperationException($"{answer.GetType().Name} is not an answer that this knows.");
        }
    }

    private async Task<Access?> StoreAsync(OAuthGrant grant, OAuthAnswer.Granted granted)
    {
        var version = Guid.CreateVersion7(clock.GetUtcNow());
        var accessToken = encryption.Protect(OAuthGrant.AccessTokenColumn, grant.Id, granted.AccessToken);
        var refreshToken = granted.RefreshToken is { } replaced
            ? encryption.Protect(OAuthGrant.RefreshTokenColumn, grant.Id, replaced)
            : grant.RefreshToken;
        var until = Until(granted);
        var stored = await database.WriteAsync(
            db => Same(db, grant).ExecuteUpdateAsync(row => row
                .SetProperty(g => g.AccessToken, accessToken)
                .SetProperty(g => g.AccessUntil, until)
                .SetProperty(g => g.RefreshToken, refreshToken)
                .SetProperty(g => g.Version, version)
                .SetProperty(g => g.Refresher, (Guid?)null)
                .SetProperty(g => g.RefreshUntil, (DateTimeOffset?)null)),
            CancellationToken.None);
        return stored == 1 ? new Access(granted.AccessToken, version, grant.ConnectedAt) : null;
    }

    /// <summary>Removes a grant that the provider has revoked, and suspends the destination.</summary>
    private Task<bool> EndAsync(OAuthGrant grant, string reason) =>
        database.WriteAsync(
            async db =>
            {
                var destination = await database.Locked(db.Destinations, [grant.Id]).SingleAsync();
                if (await Same(db, grant).ExecuteDeleteAsync() == 0)
                    return false;

                var events = new EventOutbox(clock.GetUtcNow());
                if (DestinationSuspension.Suspend(destination, reason))
                    events.DestinationDisabled(destination);
                await events.WriteAsync(db, CancellationToken.None);
                return true;
            },
            CancellationToken.None);

    private Task<int> GiveTurnBackAsync(OAuthGrant grant) =>
        database.WriteAsync(
            db => Same(db, grant).Where(g => g.Refresher == grant.Refresher).ExecuteUpdateAsync(row => row
                .SetProperty(g => g.Refresher, (Guid?)null)
                .SetProperty(g => g.RefreshUntil, (DateTimeOffset?)null)),
            CancellationToken.None);

    private Task<int> DropAsync(Guid id, Guid version) =>
        database.WriteAsync(
            db => db.OAuthGrants.Where(grant => grant.Id == id && grant.Version == version)
                .ExecuteUpdateAsync(row => row.SetProperty(g => g.AccessToken, (string?)null)),
            CancellationToken.None);

    private static IQueryable<OAuthGrant> Same(AperturDb db, OAuthGrant grant) =>
        db.OAuthGrants.Where(g => g.Id == grant.Id && g.Version == grant.Version);

    private DateTimeOffset Until(OAuthAnswer.Granted granted) =>
        clock.GetUtcNow() + granted.ExpiresIn - (granted.ExpiresIn / 2 < _margin ? granted.ExpiresIn / 2 : _margin);

    [LoggerMessage(EventName = "destination.token", Level = LogLevel.Information, Message = "destination.token {Destination}: {Answer}")]
    private partial void LogRenewal(Guid destination, string answer);

    /// <param name="Token">Null while nobody has connected the destination.</param>
    /// <param name="Version">Of the grant that the token comes from.</param>
    /// <param name="ConnectedAt">Another for every account that was connected; null while none is.</param>
    internal sealed record Access(string? Token, Guid Version, DateTimeOffset? ConnectedAt)
    {
        public static readonly Access None = new(null, default, null);

        /// <summary>Why there is no token to try; null when nothing is wrong.</summary>
        public DeliveryOutcome? Refused { get; private init; }

        public static Access No(DeliveryOutcome why) => None with { Refused = why };

        /// <summary>Without the token.</summary>
        public override string ToString() => Version.ToString();
    }
}
