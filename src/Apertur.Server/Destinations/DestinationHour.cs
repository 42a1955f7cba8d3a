using Apertur.Server.Storage;

namespace Apertur.Server.Destinations;

/// <summary>Attempts at a destination within one hour. Of each destination there is one row for each hour of the week.</summary>
internal sealed class DestinationHour
{
    /// <summary>As many hours are kept: a week.</summary>
    public const int Kept = 168;

    private static readonly JsonTable _rows = new("destination_id", "slot#", "hour#", "attempts#", "failures#");

    public required Guid DestinationId { get; init; }

    /// <summary>The hour modulo <see cref="Kept"/>.</summary>
    public required int Slot { get; init; }

    /// <summary>Hours since 1970-01-01.</summary>
    public required long Hour { get; init; }

    public required long Attempts { get; init; }

    /// <summary>Attempts that did not arrive.</summary>
    public required long Failures { get; init; }

    public static long HourOf(DateTimeOffset instant) => instant.ToUnixTimeSeconds() / 3600;

    /// <summary>Adds attempts up. Their destinations are locked by the transaction, and with them these rows.</summary>
    public static async Task AddAsync(
        AperturDb db, Database database, IEnumerable<(Guid DestinationId, bool Arrived)> attempts, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var hour = HourOf(now);
        var rows = attempts.GroupBy(attempt => attempt.DestinationId, attempt => attempt.Arrived)
            .Select(of => new object?[] { of.Key, hour % Kept, hour, of.Count(), of.Count(arrived => !arrived) }).ToList();
        if (rows.Count == 0)
            return;
        // WHERE true: without it SQLite takes ON for a part of FROM.
        const string Insert = """
            INSERT INTO destination_hours (destination_id, slot, hour, attempts, failures)
            SELECT destination_id, slot, hour, attempts, failures FROM v WHERE true
            ON CONFLICT (destination_id, slot) DO UPDATE SET
              hour = excluded.hour,
              attempts = CASE WHEN destination_hours.hour = excluded.hour THEN destination_hours.attempts ELSE 0 END + excluded.attempts,
              failures = CASE WHEN destination_hours.hour = excluded.hour THEN destination_hours.failures ELSE 0 END + excluded.failures
            """;
        await _rows.WriteAsync(db, database, Insert, rows, cancellationToken);
    }
}
