using System.Linq.Expressions;
using System.Text;
using Apertur.Server.Auth;
using Apertur.Server.Http;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

// The database compares, and knows no StringComparison.
#pragma warning disable CA1862

namespace Apertur.Server.ProjectData;

/// <summary>
/// What a list is asked for beside its time: <c>status</c>, words to look for, and so on. No counts are kept of such rows, so a filtered list
/// says its <c>total</c> up to <see cref="MostCounted"/>.
/// </summary>
internal static class ListFilters
{
    public const int MostCounted = 10_000;

    private const int MaxWords = 200;

    // Looked at first where what is asked for is usual.
    private const int Lately = 20_000;

    /// <returns>The sessions that were asked for; null when all were.</returns>
    public static IQueryable<UploadSession>? Of(HttpRequest request, IQueryable<UploadSession> sessions, DateTimeOffset now)
    {
        var (status, words) = (request.Query["status"].ToString(), Words(request));
        if (status.Length == 0 && words.Length == 0)
            return null;
        if (status.Length > 0)
            sessions = sessions.Where(HasStatus(status, now));
        if (words.Length == 0)
            return sessions;
        if (Guid.TryParse(words, out var id))
            return sessions.Where(session => session.Id == id);
        // Tags are a list in one text: what is looked for may stand in any of them.
        return sessions.Where(session => session.Label!.ToLower().Contains(words) || ((string)(object)session.Tags!).ToLower().Contains(words));
    }

    /// <returns>The uploads that were asked for; null when all were.</returns>
    public static async Task<ChosenUploads?> OfAsync(
        HttpRequest request, Caller caller, AperturDb db, DateRange range, CancellationToken cancellationToken)
    {
        var (status, source, session, destination, words) = (
            request.Query["status"].ToString(), request.Query["source"].ToString(), request.Query["sessionId"].ToString(),
            request.Query["destinationId"].ToString(), Words(request));
        if (status.Length + source.Length + session.Length + destination.Length + words.Length == 0)
            return null;

        var hasStatus = status.Length == 0 ? null : HasStatus(status);
        var (from, to) = status is "delivered" or "partial"
            ? await DeliveredWithinAsync(caller, db, range, cancellationToken)
            : (range.From, range.To);
        var all = caller.See(db.Uploads).Where(upload => upload.CreatedAt >= from && upload.CreatedAt < to);
        var few = await FewAsync(session, status, words, caller, db, cancellationToken);
        // What else was asked for may have few of a source that has very many.
        var ofSource = all.Where(upload => upload.Fields.Source == source).Take(MostCounted);
        var goesBySource = source.Length > 0
            && (few is not null || status.Length + words.Length == 0 || await ofSource.CountAsync(cancellationToken) < MostCounted);
        var chosen = Filtered(few?.Where(upload => upload.CreatedAt >= from && upload.CreatedAt < to) ?? all);
        // Such are usually many, and then among the newest. PostgreSQL, which guesses that they are few, would look at all of them.
        var areMany = few is null && source.Length + words.Length == 0 && status is "" or "delivered" or "pending";
        if (destination.Length == 0)
            return new ChosenUploads(NewestFirst(chosen), areMany ? NewestFirst(Filtered(Newest(all).Take(Lately))) : null);

        var destinationId = Ids.Parse(destination);
        var deliveries = db.Deliveries.Where(row => row.DestinationId == destinationId && row.ReceivedAt >= from && row.ReceivedAt < to);
        // Where it has very many, what else was asked for may have few.
        if (few is not null || (!areMany && await deliveries.Take(MostCounted).CountAsync(cancellationToken) == MostCounted))
        {
            // Named by all that the index of a destination's deliveries has.
            return new ChosenUploads(NewestFirst(chosen.Where(upload => db.Deliveries.Any(
                row => row.DestinationId == destinationId && row.ReceivedAt == upload.CreatedAt && row.UploadId == upload.Id))));
        }

        // By way of its deliveries, whose index has them by time: they may be few among very many.
        return new ChosenUploads(Of(int.MaxValue), Of(Lately));

        IQueryable<Upload> Filtered(IQueryable<Upload> uploads)
        {
            if (hasStatus is not null)
                uploads = uploads.Where(hasStatus);
            // LIKE, which no index is for: SQLite would open each row of the source.
            if (source.Length > 0)
            {
                uploads = goesBySource
                    ? uploads.Where(upload => upload.Fields.Source == source)
                    : uploads.Where(upload => EF.Functions.Like(upload.Fields.Source, Escaped(source), "\\"));
            }

            if (words.Length == 0)
                return uploads;
            return Guid.TryParse(words, out var id)
                ? uploads.Where(upload => upload.Id == id || upload.SessionId == id)
                : Named(uploads, words, db);
        }

        // The limit, even if it is none, has PostgreSQL begin with them.
        IQueryable<Guid> Of(int newest) =>
            from row in deliveries.OrderByDescending(row => row.ReceivedAt).ThenByDescending(row => row.UploadId).Take(newest)
            join upload in chosen on row.UploadId equals upload.Id
            orderby row.ReceivedAt descending, row.UploadId descending
            select row.UploadId;
    }

    /// <summary>
    /// Uploads that are few by what was asked for, by way of what they have in common; null when they may be many. SQLite, which knows nothing of
    /// what is how often there, would read every photo of the project for them.
    /// </summary>
    private static async Task<IQueryable<Upload>?> FewAsync(
        string session, string status, string words, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var isId = Guid.TryParse(words, out var id);
        Guid? sessionId = session.Length > 0 ? Ids.Parse(session)
            : isId && await caller.See(db.Sessions).AnyAsync(s => s.Id == id, cancellationToken) ? id : null;
        if (sessionId is not null)
        {
            return from s in caller.See(db.Sessions)
                   where s.Id == sessionId
                   join upload in db.Uploads on s.Id equals upload.SessionId
                   select upload;
        }

        if (isId)
            return caller.See(db.Uploads.Where(upload => upload.Id == id));
        if (status != "pending")
            return null;
        // Two FROM, which are a CROSS JOIN: SQLite then keeps to this order.
        var open = (
                from destination in db.Destinations
                where caller.Projects.Keys.Contains(destination.ProjectId)
                from row in db.Deliveries
                where row.DestinationId == destination.Id && (row.State == DeliveryState.Pending || row.State == DeliveryState.Retrying)
                select row.UploadId)
            .Concat(db.Deliveries.Where(row => row.State == DeliveryState.Sending).Select(row => row.UploadId));
        return await open.Take(MostCounted).CountAsync(cancellationToken) == MostCounted ? null
            : caller.See(from uploadId in open.Distinct() from upload in db.Uploads where upload.Id == uploadId select upload);
    }

    /// <summary>The part of a range that has photos which arrived somewhere: the daily counts know of days without.</summary>
    private static async Task<(DateTimeOffset From, DateTimeOffset To)> DeliveredWithinAsync(
        Caller caller, AperturDb db, DateRange range, CancellationToken cancellationToken)
    {
        var days = await ProjectDataApi.Counts(caller, db).Where(count => count.ImagesDelivered > 0).Select(count => count.Day)
            .ToListAsync(cancellationToken);
        return days.Count == 0 ? (range.From, range.From) : range.Within(days.Min(), days.Max());
    }

    private static IQueryable<Upload> Named(IQueryable<Upload> uploads, string words, AperturDb db)
    {
        var pattern = $"%{Escaped(words)}%";
        // LIKE has no capitals in SQLite.
        if (db.Database.IsSqlite())
            return uploads.Where(upload => EF.Functions.Like(upload.Filename, pattern, "\\"));
        // Letters beyond ASCII cost PostgreSQL twice as much: they are looked at where they are looked for.
        return Ascii.IsValid(words)
            ? uploads.Where(upload => EF.Functions.Like(EF.Functions.Collate(upload.Filename, "C").ToLower(), pattern, "\\"))
            : uploads.Where(upload => EF.Functions.Like(upload.Filename.ToLower(), pattern, "\\"));
    }

    private static string Escaped(string words) => words.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("%", "\\%", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal);

    private static IQueryable<Upload> Newest(IQueryable<Upload> uploads) =>
        uploads.OrderByDescending(upload => upload.CreatedAt).ThenByDescending(upload => upload.Id);

    private static IQueryable<Guid> NewestFirst(IQueryable<Upload> uploads) => Newest(uploads).Select(upload => upload.Id);

    private static string Words(HttpRequest request)
    {
        var words = request.Query["q"].ToString().Trim();
        return words.Length > MaxWords || words.Contains('\0')
            ? throw ApiErrors.Validation("q", $"q may have up to {MaxWords} characters.").ToException()
            : words.ToLowerInvariant();
    }

    /// <summary>The same as <see cref="UploadSession.RowStatus"/>.</summary>
    private static Expression<Func<UploadSession, bool>> HasStatus(string status, DateTimeOffset now) => status switch
    {
        // Whoever sent a photo has opened it.
        "pending" => session => session.CompletedAt == null && session.ExpiresAt > now && session.OpenedAt == null,
        "active" => session => session.CompletedAt == null && session.ImagesCount < session.MaxImages && session.ExpiresAt > now
            && session.OpenedAt != null,
        "completed" => session => (session.CompletedAt != null || session.ImagesCount >= session.MaxImages)
            && !(session.ImagesDispatched > 0 && session.ImagesDelivered == 0 && session.DeliveriesOpen == 0),
        "expired" => session => session.CompletedAt == null && session.ImagesCount < session.MaxImages && session.ExpiresAt <= now
            && !(session.ImagesDispatched > 0 && session.ImagesDelivered == 0 && session.DeliveriesOpen == 0),
        "failed" => session => (session.CompletedAt != null || session.ImagesCount >= session.MaxImages || session.ExpiresAt <= now)
            && session.ImagesDispatched > 0 && session.ImagesDelivered == 0 && session.DeliveriesOpen == 0,
        _ => throw ApiErrors.Validation("status", "status must be pending, active, completed, expired or failed.").ToException(),
    };

    /// <summary>The same as <see cref="Upload.Status"/>, in the words of the indexes that 0042_list_filters.sql and 0045_covering_indexes.sql make.</summary>
    private static Expression<Func<Upload, bool>> HasStatus(string status) => status switch
    {
        "stored_only" => upload => upload.DestinationsTotal == 0,
        "pending" => upload => upload.DestinationsDelivered + upload.DestinationsFailed < upload.DestinationsTotal,
        "delivered" => upload => upload.DestinationsTotal > 0 && upload.DestinationsDelivered == upload.DestinationsTotal,
        "failed" => upload => upload.DestinationsFailed > 0 && upload.DestinationsFailed == upload.DestinationsTotal,
        "partial" => upload => upload.DestinationsDelivered > 0 && upload.DestinationsFailed > 0 && upload.DestinationsFailed < upload.DestinationsTotal
            && upload.DestinationsDelivered + upload.DestinationsFailed == upload.DestinationsTotal,
        _ => throw ApiErrors.Validation("status", "status must be stored_only, pending, delivered, failed or partial.").ToException(),
    };
}
