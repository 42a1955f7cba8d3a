using Apertur.Server.Queue;
using Apertur.Server.Storage;

namespace Apertur.Server.Deliveries;

/// <summary>
/// Claims new deliveries in the transaction that inserts them, so that their first attempts begin with its commit. Only those whose destination is well,
/// has a lane free on this node, and has nothing due, which would be overtaken; the others wait in the table for the pump.
/// </summary>
internal sealed class DirectClaims(Pump pump, DeliveryQueue queue, AsyncAutoResetEvent signal, TimeProvider clock)
{
    /// <param name="db">The transaction, which has locked the sessions.</param>
    /// <param name="deliveries">To be inserted, in the order in which their photos came.</param>
    /// <param name="subjectOf">What each is about; null when something else is due there.</param>
    public void Claim(AperturDb db, IReadOnlyList<DeliveryRow> deliveries, Func<DeliveryRow, DeliverySubject?> subjectOf)
    {
        var subjects = deliveries.Select(row => (Row: row, About: subjectOf(row))).Where(each => each.About is { } about && TakesAny(about))
            .ToDictionary(each => each.Row, each => each.About!);
        if (subjects.Count == 0)
            return;

        var lanes = pump.Reserve(queue, subjects.Values.GroupBy(about => about.Destination.Id, Endpoint));
        var claimed = new List<DeliveryRow>();
        db.Write.AtEnd.Add(isCommitted =>
        {
            using (lanes)
            {
                // One that was committed although its answer was lost is taken over when the claim has run out.
                if (isCommitted)
                    lanes.Start(claimed.Select(row => queue.Claimed(row, subjects[row])));
            }

            // A round may have found these lanes taken.
            if (!isCommitted)
                signal.Set();
        });

        claimed.AddRange(deliveries.Where(subjects.ContainsKey).GroupBy(row => row.DestinationId)
            .SelectMany(rows => rows.Take(lanes.Wanted.GetValueOrDefault(rows.Key))));
        var now = clock.GetUtcNow();
        var token = Guid.CreateVersion7(now);
        foreach (var rows in claimed.GroupBy(row => subjects[row].Session))
        {
            rows.Key.Touch(now);
            foreach (var row in rows)
                Claim(row, rows.Key.LastChanged, token, now);
        }
    }

    private static void Claim(DeliveryRow row, DateTimeOffset place, Guid token, DateTimeOffset now)
    {
        row.State = DeliveryState.Sending;
        row.Attempts = 1;
        row.StartedAt = place;
        row.LeaseToken = token;
        row.LeaseUntil = now + Pump.Lease;
        row.LeaseNode = Node.Name;
        row.UpdatedAt = now;
    }

    private static bool TakesAny(DeliverySubject about) =>
        about.Destination is { IsActive: true, ParkedReason: null, DeletedAt: null, Breaker: { LaneLimit: null, OpenUntil: null } }
        && about.Project.DeletedAt is null;

    private static DueEndpoint Endpoint(Guid id, IEnumerable<DeliverySubject> rows)
    {
        var about = rows.First();
        var breaker = about.Destination.Breaker;
        var standing = breaker.Timeouts > 0 ? Standing.Silent : breaker.HasAnswered ? Standing.Proven : Standing.New;
        return new DueEndpoint(id, about.Project.Id, standing) { Rows = rows.Count() };
    }
}
