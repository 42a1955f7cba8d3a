using System.Globalization;
using Apertur.Server.Contract;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>Where an event stands among those of its session: what a client sends back to get the ones after it.</summary>
/// <param name="Stamp">The session's <see cref="UploadSession.LastChanged"/> in the event's transaction, unix
/// milliseconds.</param>
/// <param name="Kind">Order within one transaction.</param>
/// <param name="Row">Order within one kind.</param>
internal readonly record struct EventCursor(long Stamp, int Kind, Guid Row) : IComparable<EventCursor>
{
    /// <summary>The place behind everything up to that instant.</summary>
    public static EventCursor After(DateTimeOffset instant) => new(instant.ToUnixTimeMilliseconds(), 9, Guid.Empty);

    public static EventCursor? Parse(string text) =>
        text.Split('.') is [var stamp, [>= '0' and <= '9' and var kind], var row]
        && long.TryParse(stamp, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
        && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
        && Guid.TryParseExact(row, "N", out var id)
            ? new EventCursor(milliseconds, kind - '0', id)
            : null;

    public int CompareTo(EventCursor other) => (Stamp, Kind, Row).CompareTo((other.Stamp, other.Kind, other.Row));

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Stamp}.{Kind}.{Row:N}");
}

/// <summary>Something that happened to a session.</summary>
internal sealed record SessionEvent(EventCursor Place, string Name, object Data);

/// <summary>
/// Reads what happened to a session out of its rows: there is no table of events. Images and deliveries carry the session's
/// <see cref="UploadSession.LastChanged"/> of the transactions in which they arrived, began and ended. That value grows under
/// the lock of the session's row, so its order is the order of commits, and a place in it has everything before it behind itself
/// for good.
/// </summary>
internal static class SessionEvents
{
    /// <summary>What happened to a session after a place, in order.</summary>
    /// <param name="database">Where its rows are.</param>
    /// <param name="session">As it was just read. Nothing later than it tells is in the result: that may be half seen by now.</param>
    /// <param name="after">The place.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<IReadOnlyList<SessionEvent>> ReadAsync(
        Database database, UploadSession session, EventCursor after, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (EventCursor.After(session.LastChanged).CompareTo(after) <= 0)
            return [];

        var (sessionId, from, to) = (session.Id, DateTimeOffset.FromUnixTimeMilliseconds(after.Stamp), session.LastChanged);
        await using var db = database.Open();
        var events = new List<SessionEvent>();
        foreach (var upload in await db.Uploads.AsNoTracking()
            .Where(u => u.SessionId == sessionId && u.ReadyAt >= from && u.ReadyAt <= to)
            .Select(u => new { u.Id, u.ReadyAt, u.Filename, u.SizeBytes })
            .ToListAsync(cancellationToken))
        {
            var ready = new ImageReadyData(upload.Id, upload.Filename, upload.SizeBytes);
            events.Add(new(Place(upload.ReadyAt, 1, upload.Id), "image:ready", ready));
        }

        foreach (var row in await db.Deliveries.AsNoTracking()
            .Where(d => d.SessionId == sessionId)
            .Where(d => (d.StartedAt >= from && d.StartedAt <= to) || (d.EndedAt >= from && d.EndedAt <= to))
            .ToListAsync(cancellationToken))
        {
            var data = new ImageDeliveryData(row.UploadId, row.DestinationId);
            if (row.StartedAt is { } started && started >= from && started <= to)
                events.Add(new(Place(started, 2, row.Id), "image:delivering", data));
            if (row.EndedAt is { } ended && ended >= from && ended <= to)
            {
                var place = Place(ended, 3, row.Id);
                events.Add(row.State == DeliveryState.Sent
                    ? new(place, "image:delivered", data)
                    : new(place, "image:failed", new ImageFailedData(row.UploadId, row.DestinationId, row.LastError ?? "")));
            }
        }

        if (session.OverAt is { } over && session.Status(now) == "completed")
            events.Add(new(Place(over, 4, sessionId), "session:completed", new SessionEventData(sessionId)));
        return [.. events.Where(e => e.Place.CompareTo(after) > 0).OrderBy(e => e.Place)];
    }

    private static EventCursor Place(DateTimeOffset stamp, int kind, Guid row) => new(stamp.ToUnixTimeMilliseconds(), kind, row);
}
