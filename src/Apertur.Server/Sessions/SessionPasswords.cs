using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>
/// Passwords of sessions: kept as PBKDF2 hashes, with guesses limited by their times in the
/// session's row, so that restarts and further nodes give no fresh tries.
/// </summary>
/// <remarks>
/// A right password does not count as a guess, and who has given it once to this node is let in from memory: every photo carries
/// it, and neither should each cost a slow hash nor should somebody else's guessing lock its sender out. While guesses are used
/// up, whoever is not known here yet has to wait, with a right password too: whether it is right must not be told.
/// </remarks>
internal sealed class SessionPasswords(Database database, TimeProvider clock)
{
    public const int MinLength = 4;
    public const int MaxLength = 128;
    public const string Header = "x-session-password";

    private static readonly (int Guesses, TimeSpan Within)[] _bounds =
        [(5, TimeSpan.FromMinutes(1)), (20, TimeSpan.FromHours(1))];
    private static readonly TimeSpan _longest = _bounds.Max(bound => bound.Within);
    private static readonly PasswordHasher<object> _hasher = new();

    // About 2 MB when full; then it starts over, which costs each sender one slow hash.
    private const int MostKnown = 10_000;

    private readonly ConcurrentDictionary<string, Lazy<Task<bool>>> _checks = new(StringComparer.Ordinal);

    /// <summary>What a request says that the password is; empty when it says nothing.</summary>
    public static string Of(HttpRequest request) => request.Headers[Header].ToString();

    public static string Hash(string password) => _hasher.HashPassword(_hasher, password);

    /// <summary>Whether a new password can be used, and sent: it travels in a header, which loses white space at its ends (RFC 9110, 5.5).</summary>
    public static void Check(string? password, List<FieldError> errors)
    {
        if (password is null)
            return;
        if (password.Length is < MinLength or > MaxLength)
            errors.Add(new FieldError("password", $"password must have {MinLength} to {MaxLength} characters."));
        else if (char.IsWhiteSpace(password[0]) || char.IsWhiteSpace(password[^1]))
            errors.Add(new FieldError("password", "password must not begin or end with a space: nobody sees it, and no header carries it."));
        else if (password.Any(char.IsControl) || !IsText(password))
            errors.Add(new FieldError("password", "password must not hold control characters or half characters: no header carries them."));
    }

    private static bool IsText(string password) => password.EnumerateRunes().All(rune => rune != Rune.ReplacementChar);

    /// <summary>Whether this is the session's password. A session without one takes any.</summary>
    /// <exception cref="ApiErrorException">429: too many wrong guesses; this one was not looked at.</exception>
    public async Task<bool> IsRightAsync(UploadSession session, string? password, CancellationToken cancellationToken)
    {
        if (session.PasswordHash is not { } hash)
            return true;
        if (password is not { Length: >= MinLength and <= MaxLength })
            return false;

        // Photos that arrive together share one check: in memory stands who is being checked and who was right.
        var known = KnownAs(hash, password);
        var check = _checks.GetOrAdd(known, _ => new(() => CheckAsync(session, hash, password)));
        var right = false;
        try
        {
            right = await check.Value.WaitAsync(cancellationToken);
            return right;
        }
        finally
        {
            if (!right && check.Value.IsCompleted)
                _checks.TryRemove(new(known, check));
            if (_checks.Count > MostKnown)
                _checks.Clear();
        }
    }

    private async Task<bool> CheckAsync(UploadSession session, string hash, string password)
    {
        // A session under attack is refused by what was read of it anyway, without a write.
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        ThrowIfUsedUp(session.PasswordGuesses, now);
        await ChangeGuessesAsync(session.Id, guesses =>
        {
            ThrowIfUsedUp(guesses, now);
            return [.. guesses.Where(guess => Math.Abs(guess - now) < (long)_longest.TotalMilliseconds), now];
        });

        // A slow hash on purpose, so not on the thread that serves requests.
        var result = await Task.Run(() => _hasher.VerifyHashedPassword(_hasher, hash, password));
        var right = result != PasswordVerificationResult.Failed;
        if (right)
            await ChangeGuessesAsync(session.Id, guesses => Without(guesses, now));
        return right;
    }

    private static long[] Without(long[] guesses, long one) =>
        Array.IndexOf(guesses, one) is >= 0 and var i ? [.. guesses[..i], .. guesses[(i + 1)..]] : guesses;

    // Counted before it is looked at: guesses that arrive together do not slip through together.
    private Task ChangeGuessesAsync(Guid sessionId, Func<long[], long[]> change) => database.WriteAsync(
        async db =>
        {
            if (await database.Locked(db.Sessions, [sessionId]).SingleOrDefaultAsync() is { } session)
                session.PasswordGuesses = change(session.PasswordGuesses);
        },
        CancellationToken.None);

    private static void ThrowIfUsedUp(long[] guesses, long now)
    {
        // Those in the future are from before the clock was set back.
        guesses = [.. guesses.Where(guess => guess <= now + (long)WallClock.Tolerance.TotalMilliseconds)];
        var wait = _bounds
            .Where(bound => guesses.Length >= bound.Guesses)
            .Max(bound => (long?)(guesses[^bound.Guesses] + (long)bound.Within.TotalMilliseconds - now));
        if (wait > 0)
            throw ApiErrors.TooManyPasswords(TimeSpan.FromMilliseconds(wait.Value)).ToException();
    }

    // The stored hash has a salt of its own, so it names the session, and a new password forgets whoever knew the old one.
    private static string KnownAs(string hash, string password) =>
        Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes($"{hash}\n{password}")));
}
