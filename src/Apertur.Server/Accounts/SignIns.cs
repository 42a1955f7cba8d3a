using System.Net;
using Apertur.Server.Auth;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>The tokens that signing in, or renewing a sign-in, gives.</summary>
/// <param name="Person">Who it is.</param>
/// <param name="Token">For the next 15 minutes of calls.</param>
/// <param name="ExpiresAt">When <paramref name="Token"/> ends.</param>
/// <param name="RefreshToken">For the next pair, once.</param>
internal sealed record TokenPair(User Person, string Token, DateTimeOffset ExpiresAt, string RefreshToken);

/// <summary>Begins, renews and ends sign-ins.</summary>
internal sealed class SignIns(Database database, Tokens tokens, TimeProvider clock)
{
    /// <summary>How long a sign-in lives without being renewed.</summary>
    public static readonly TimeSpan IdleTime = TimeSpan.FromDays(30);

    public Task<TokenPair> BeginAsync(User person, CancellationToken cancellationToken) =>
        database.WriteAsync(db => Task.FromResult(Begin(db, person)), cancellationToken);

    /// <summary>The same within a transaction.</summary>
    public TokenPair Begin(AperturDb db, User person)
    {
        var now = clock.GetUtcNow();
        var signIn = new SignIn { Id = Guid.CreateVersion7(now), UserId = person.Id, CreatedAt = now };
        db.SignIns.Add(signIn);
        return Pair(db, person, signIn.Id, now);
    }

    /// <summary>How long a used token counts where it was used: several tabs of one browser, or a client that got no answer, renew at once.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Takes a refresh token for a new pair. One that was used before, elsewhere or longer ago than <see cref="Grace"/>, counts as stolen:
    /// the whole sign-in ends.
    /// </summary>
    /// <exception cref="ApiErrorException">401: unknown, expired or used; 403: the person is disabled.</exception>
    public async Task<TokenPair> RenewAsync(string refreshToken, IPAddress? address, CancellationToken cancellationToken)
    {
        var from = AddressRanges.Subject(address);
        var hash = OneTimeSecret.HashOf(refreshToken);
        var now = clock.GetUtcNow();
        var pair = await database.WriteAsync(
            async db =>
            {
                var token = await db.RefreshTokens.AsNoTracking().SingleOrDefaultAsync(t => t.Hash == hash, cancellationToken);
                if (token is null || token.ExpiresAt <= now)
                    return null;

                // One renewal or end of a sign-in at a time, or a token made meanwhile would outlive it.
                var signIn = await database.Locked(db.SignIns, [token.SignInId]).AsNoTracking().SingleOrDefaultAsync(cancellationToken);
                if (signIn is null)
                    return null;

                var first = await db.RefreshTokens.Where(t => t.Hash == hash && t.UsedAt == null)
                    .ExecuteUpdateAsync(t => t.SetProperty(x => x.UsedAt, now).SetProperty(x => x.UsedFrom, from), cancellationToken) == 1;
                var graceful = now - Grace;
                if (!first && !await db.RefreshTokens.AnyAsync(
                        t => t.Hash == hash && t.UsedAt > graceful && t.UsedFrom == from, cancellationToken))
                {
                    await EndAsync(database, db, db.SignIns.Where(s => s.Id == token.SignInId), cancellationToken);
                    return null;
                }

                var person = await db.Users.AsNoTracking().SingleAsync(u => u.Id == signIn.UserId, cancellationToken);
                return person.DisabledAt is null
                    ? Pair(db, person, token.SignInId, now)
                    : throw ApiErrors.AccountDisabled.ToException();
            },
            cancellationToken);
        return pair ?? throw ApiErrors.Unauthenticated("This refresh token is unknown, expired or used. Sign in again.").ToException();
    }

    /// <summary>Ends one sign-in: its tokens count no more from the next call on.</summary>
    public Task EndAsync(Guid signInId, CancellationToken cancellationToken) =>
        database.WriteAsync(db => EndAsync(database, db, db.SignIns.Where(s => s.Id == signInId), cancellationToken), cancellationToken);

    /// <summary>Ends the sign-in that a refresh token belongs to, if there is one.</summary>
    public Task EndAsync(string refreshToken, CancellationToken cancellationToken)
    {
        var hash = OneTimeSecret.HashOf(refreshToken);
        return database.WriteAsync(
            db => EndAsync(
                database, db, db.SignIns.Where(s => db.RefreshTokens.Any(t => t.Hash == hash && t.SignInId == s.Id)), cancellationToken),
            cancellationToken);
    }

    /// <summary>Ends every sign-in of a person but one, and links that would begin another.</summary>
    public static async Task EndAllAsync(Database database, AperturDb db, Guid userId, Guid? except, CancellationToken cancellationToken)
    {
        await db.OneTimeLinks.Where(l => l.UserId == userId && l.Kind == OneTimeLinkKind.SignIn).ExecuteDeleteAsync(cancellationToken);
        await EndAsync(database, db, db.SignIns.Where(s => s.UserId == userId && s.Id != except), cancellationToken);
    }

    /// <summary>Keeps a person out from the next call on, or lets them in again. Enabled again, the person signs in anew.</summary>
    public static Task SwitchAsync(Database database, AperturDb db, User person, bool disable, DateTimeOffset now, CancellationToken cancellationToken)
    {
        person.DisabledAt = disable ? person.DisabledAt ?? now : null;
        return EndAllAsync(database, db, person.Id, except: null, cancellationToken);
    }

    /// <summary>Removes sign-ins that nobody can renew any more, and one-time links and guesses that are over.</summary>
    public static async Task RemoveExpiredAsync(Database database, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await database.WriteAsync(
            db => EndAsync(
                database, db, db.SignIns.Where(s => !db.RefreshTokens.Any(t => t.SignInId == s.Id && t.ExpiresAt > now)), cancellationToken),
            cancellationToken);
        var (over, anHourAgo) = (now.ToUnixTimeMilliseconds(), now.AddHours(-1).ToUnixTimeMilliseconds());
        await SmallSteps.RemoveAsync(database, "refresh_tokens", "expires_at <= {0}", over, cancellationToken);
        await SmallSteps.RemoveAsync(database, "one_time_links", "expires_at <= {0}", over, cancellationToken);
        await SmallSteps.RemoveAsync(database, "guesses", "started < {0}", anHourAgo, cancellationToken);
    }

    private static async Task EndAsync(Database database, AperturDb db, IQueryable<SignIn> signIns, CancellationToken cancellationToken)
    {
        var ids = await signIns.Select(s => s.Id).ToListAsync(cancellationToken);
        await database.Locked(db.SignIns, ids).AsNoTracking().ToListAsync(cancellationToken);
        await db.RefreshTokens.Where(t => ids.Contains(t.SignInId)).ExecuteDeleteAsync(cancellationToken);
        await db.SignIns.Where(s => ids.Contains(s.Id)).ExecuteDeleteAsync(cancellationToken);
    }

    private TokenPair Pair(AperturDb db, User person, Guid signInId, DateTimeOffset now)
    {
        var refresh = OneTimeSecret.Generate();
        db.RefreshTokens.Add(new RefreshToken { Hash = OneTimeSecret.HashOf(refresh), SignInId = signInId, ExpiresAt = now + IdleTime });
        var (token, expiresAt) = tokens.Create(person.Id, signInId);
        return new TokenPair(person, token, expiresAt, refresh);
    }
}
