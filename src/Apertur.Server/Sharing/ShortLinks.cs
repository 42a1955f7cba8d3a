using System.Security.Cryptography;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sharing;

/// <summary>
/// Short links, <c>/s/</c> and eight characters: 47 random bits, fewer than a session's id has, so they are made only for sessions whose link is
/// sent, can be revoked, and cannot be gone through: addresses that guess are held off.
/// </summary>
internal static class ShortLinks
{
    private const int Length = 8;

    // Wrong codes of one address in a minute. People mistype one or two.
    private const int MissesPerMinute = 20;

    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    public static string NewCode() => RandomNumberGenerator.GetString(Letters, Length);

    /// <summary>Leads to the upload page while the session can be opened.</summary>
    public static async Task<IResult> Open(
        string code, HttpContext http, SessionGate gate, Database database, StrangerCounts counts, PublicAddress address, CancellationToken cancellationToken)
    {
        var subject = "short link " + AddressRanges.Subject(http.Connection.RemoteIpAddress);
        var misses = counts.Look(subject, MissesPerMinute);
        if (misses.Remaining == 0)
            throw ApiErrors.RateLimited(misses.Limit, misses.RetryAfter).ToException();

        await using var db = database.Open();
        var session = code.Length != Length ? null
            : await db.Sessions.AsNoTracking().SingleOrDefaultAsync(
                s => s.ShortCode == code && db.Projects.Any(p => p.Id == s.ProjectId && p.DeletedAt == null && p.DisabledAt == null), cancellationToken);
        if (session is null)
        {
            counts.Count(subject, MissesPerMinute);
            throw ApiErrors.NotFound.ToException();
        }

        if (gate.Refusal(session) is { } refusal)
            throw refusal.ToException();
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers["Referrer-Policy"] = "no-referrer";
        return TypedResults.Redirect($"{address.BaseOf(http.Request)}/u/{session.Id}");
    }
}
