using Microsoft.EntityFrameworkCore.Query;

namespace Apertur.Server.Queue;

/// <summary>What is done to many rows of a queue at once.</summary>
internal static class QueueRows
{
    /// <summary>Sets when rows may be claimed next, as <see cref="Due.After"/> has decided it.</summary>
    public static UpdateSettersBuilder<T> SetDue<T>(this UpdateSettersBuilder<T> rows, Due due, DateTimeOffset now)
        where T : class, IQueueRow =>
        rows.SetProperty(row => row.DueAt, due.At)
            .SetProperty(row => row.DueCause, due.Cause)
            .SetProperty(row => row.DueBy, due.By)
            .SetProperty(row => row.UpdatedAt, now);
}
