using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Http;

/// <summary>
/// An idempotency key, a client's name for one request: sent again under it, however often and from however many places at once, the request
/// has one effect and one answer. What was answered is written in the transaction of the effect, so that neither exists without the other.
/// </summary>
/// <param name="Scope">Whose names these are.</param>
/// <param name="Key">The name.</param>
/// <param name="Lifetime">How long a name is remembered.</param>
internal sealed record Idempotency(string Scope, string Key, TimeSpan Lifetime)
{
    public const int MaxLength = 128;

    private const string Header = "Idempotency-Key";

    /// <summary>Of what is asked for, where it stands for the request; null where what was sent does.</summary>
    public string? Fingerprint { get; init; }

    /// <returns>Null when the request has no such header.</returns>
    /// <exception cref="ApiErrorException">400: too long.</exception>
    public static Idempotency? Of(HttpRequest request, string scope) => request.Headers[Header].ToString() switch
    {
        "" => null,
        { Length: > MaxLength } => throw ApiErrors.Validation(Header, $"{Header} may have up to {MaxLength} characters.").ToException(),
        var key => new(scope, key, request.HttpContext.RequestServices.GetRequiredService<Settings>().Retention.IdempotencyTime),
    };

    /// <summary>
    /// What stands for a JSON request. Keyed, because a request may hold a password, and a plain hash of it would be a way to guess it.
    /// </summary>
    public static string FingerprintOf<T>(T request, JsonTypeInfo<T> type, DerivedKeys keys) => Convert.ToHexStringLower(
        HMACSHA256.HashData(keys.Key("idempotency"), JsonSerializer.SerializeToUtf8Bytes(request, type)));

    /// <summary>What was answered under this name and still counts; null when nothing was.</summary>
    public Task<IdempotentAnswer?> FindAsync(AperturDb db, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var after = now - Lifetime;
        return db.IdempotentAnswers.AsNoTracking()
            .SingleOrDefaultAsync(answer => answer.Scope == Scope && answer.Key == Key && answer.CreatedAt > after, cancellationToken);
    }

    /// <summary>
    /// Takes the name for an effect that is written in the same transaction. One statement decides: who comes second waits for the first one's
    /// commit, on any node, and gets its answer.
    /// </summary>
    /// <returns>Null when the name was free; otherwise what was answered under it, and there must be no second effect.</returns>
    public async Task<IdempotentAnswer?> ClaimAsync(
        AperturDb db, string fingerprint, string answer, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var created = now.ToUnixTimeMilliseconds();
        var expired = (now - Lifetime).ToUnixTimeMilliseconds();
        var taken = await db.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO idempotent_answers (scope, key, fingerprint, answer, created_at)
            VALUES ({Scope}, {Key}, {fingerprint}, {answer}, {created})
            ON CONFLICT (scope, key) DO UPDATE
              SET fingerprint = excluded.fingerprint, answer = excluded.answer, created_at = excluded.created_at
              WHERE idempotent_answers.created_at <= {expired}
            """,
            cancellationToken);
        return taken > 0 ? null
            : await db.IdempotentAnswers.AsNoTracking().SingleAsync(a => a.Scope == Scope && a.Key == Key, cancellationToken);
    }
}

/// <summary>What was answered to a request with an <see cref="Idempotency"/> name.</summary>
internal sealed class IdempotentAnswer
{
    public required string Scope { get; init; }
    public required string Key { get; init; }

    /// <summary>Of what was sent.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>JSON.</summary>
    public required string Answer { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The answer to a repeat.</summary>
    /// <exception cref="ApiErrorException">409: what was sent this time is something else.</exception>
    public T Repeat<T>(string fingerprint, JsonTypeInfo<T> type) =>
        fingerprint == Fingerprint ? JsonSerializer.Deserialize(Answer, type)! : throw ApiErrors.IdempotencyConflict.ToException();
}
