using System.Net;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>How often something was guessed at in one window of time.</summary>
internal sealed class Guess
{
    public required string Subject { get; init; }
    public required int Seconds { get; init; }
    public required DateTimeOffset Started { get; init; }
    public required int Count { get; init; }
}

/// <summary>
/// Slows down guessing: a guess is counted before it is looked at, so that many at once gain nothing. The counts stand in the database:
/// neither a restart nor another node forgets them.
/// </summary>
internal sealed class LoginThrottle(Database database, TimeProvider clock)
{
    private const int Minute = 60;
    private const int Hour = 3600;

    /// <summary>
    /// Counts a guess at one person's password, from one address. Many people may share an address. What is over the limit of its address counts
    /// no further, so a guesser alone shuts out nobody who comes from elsewhere; the limit for all addresses together is for many guessers.
    /// </summary>
    /// <exception cref="ApiErrorException">429: too many; says when to come back.</exception>
    public async Task CountSignInAsync(string email, IPAddress? address, CancellationToken cancellationToken)
    {
        await CountAsync($"address {AddressRanges.Subject(address)}", 30, 300, cancellationToken);
        await CountAsync(Person(email, address), 5, 20, cancellationToken);
        await CountAsync(Person(email), 50, 200, cancellationToken);
    }

    /// <summary>The guess was right: the person's counts begin anew. The address's goes on, or one good account would buy guesses at others.</summary>
    public Task ForgetSignInAsync(string email, IPAddress? address, CancellationToken cancellationToken)
    {
        string[] subjects = [Person(email, address), Person(email)];
        return database.WriteAsync(
            db => db.Guesses.Where(g => subjects.Contains(g.Subject)).ExecuteDeleteAsync(cancellationToken), cancellationToken);
    }

    /// <summary>Counts one guess.</summary>
    /// <param name="subject">What is guessed at, or from where.</param>
    /// <param name="perMinute">Guesses allowed in a minute.</param>
    /// <param name="perHour">Guesses allowed in an hour.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ApiErrorException">429: too many; says when to come back.</exception>
    public async Task CountAsync(string subject, int perMinute, int perHour, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var counts = await database.WriteAsync(
            async db => (Minute: await CountAsync(db, subject, Minute, now, cancellationToken),
                Hour: await CountAsync(db, subject, Hour, now, cancellationToken)),
            cancellationToken);
        if (counts.Hour.Count > perHour)
            throw TooMany(counts.Hour, now);
        if (counts.Minute.Count > perMinute)
            throw TooMany(counts.Minute, now);
    }

    // A stranger's address may be anything: what is stored has a length of our choosing.
    private static string Person(string email) => $"person {OneTimeSecret.HashOf(email)}";

    private static string Person(string email, IPAddress? address) => $"{Person(email)} from {AddressRanges.Subject(address)}";

    private static async Task<Guess> CountAsync(
        AperturDb db, string subject, int seconds, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var (at, over) = (now.ToUnixTimeMilliseconds(), now.AddSeconds(-seconds).ToUnixTimeMilliseconds());
        var rows = await db.Guesses.FromSql(
            $"""
            INSERT INTO guesses (subject, seconds, started, count) VALUES ({subject}, {seconds}, {at}, 1)
            ON CONFLICT (subject, seconds) DO UPDATE SET
              count = CASE WHEN guesses.started <= {over} THEN 1 ELSE guesses.count + 1 END,
              started = CASE WHEN guesses.started <= {over} THEN {at} ELSE guesses.started END
            RETURNING *
            """).AsNoTracking().ToListAsync(cancellationToken);
        return rows[0];
    }

    private static ApiErrorException TooMany(Guess guess, DateTimeOffset now) =>
        ApiErrors.TooManyGuesses((int)Math.Ceiling((guess.Started.AddSeconds(guess.Seconds) - now).TotalSeconds)).ToException();
}
