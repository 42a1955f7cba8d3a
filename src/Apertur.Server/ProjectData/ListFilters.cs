using System.Linq.Expressions;
using Apertur.Server.Http;
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

    /// <returns>The ids of the uploads that were asked for, newest first; null when all were.</returns>
    public static async Task<IQueryable<Guid>?> OfAsync(
        HttpRequest request, IQueryable<Upload> uploads, AperturDb db, DateRange range, CancellationToken cancellationToken)
    {
        var destination = request.Query["destinationId"].ToString();
        var chosen = Of(request, uploads);
        if (destination.Length == 0)
            return chosen is null ? null : NewestFirst(chosen);

        var destinationId = Ids.Parse(destination);
        var deliveries = db.Deliveries.Where(row => row.DestinationId == destinationId && row.ReceivedAt >= range.From && row.ReceivedAt < range.To);
        // Where it has very many, what else was asked for may have few.
        if (chosen is not null && await deliveries.Take(MostCounted).CountAsync(cancellationToken) == MostCounted)
        {
            // Named by all that the index of a destination's deliveries has.
            return NewestFirst(chosen.Where(upload => db.Deliveries.Any(
                row => row.DestinationId == destinationId && row.ReceivedAt == upload.CreatedAt && row.UploadId == upload.Id)));
        }

        // By way of its deliveries, whose index has them by time: they may be few among very many.
        return
            from row in deliveries
            join upload in chosen ?? uploads on row.UploadId equals upload.Id
            orderby row.ReceivedAt descending, row.UploadId descending
            select row.UploadId;
    }

    private static IQueryable<Guid> NewestFirst(IQueryable<Upload> uploads) =>
        uploads.OrderByDescending(upload => upload.CreatedAt).ThenByDescending(upload => upload.Id).Select(upload => upload.Id);

    private static IQueryable<Upload>? Of(HttpRequest request, IQueryable<Upload> uploads)
    {
        var (status, source, session, words) = (
            request.Query["status"].ToString(), request.Query["source"].ToString(), request.Query["sessionId"].ToString(), Words(request));
        if (status.Length + source.Length + session.Length + words.Length == 0)
            return null;
        if (status.Length > 0)
            uploads = uploads.Where(HasStatus(status));
        if (source.Length > 0)
            uploads = uploads.Where(upload => upload.Fields.Source == source);
        if (session.Length > 0)
        {
            var sessionId = Ids.Parse(session);
            uploads = uploads.Where(upload => upload.SessionId == sessionId);
        }

        return words.Length == 0 ? uploads
            : Guid.TryParse(words, out var id) ? uploads.Where(upload => upload.Id == id || upload.SessionId == id)
            : uploads.Where(upload => upload.Filename.ToLower().Contains(words));
    }

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
        "pending" => session => session.CompletedAt == null && session.ImagesCount < session.MaxImages && session.ExpiresAt > now
            && session.OpenedAt == null,
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

    /// <summary>The same as <see cref="Upload.Status"/>, in the words of the indexes that 0042_list_filters.sql makes.</summary>
    private static Expression<Func<Upload, bool>> HasStatus(string status) => status switch
    {
        "stored_only" => upload => upload.DestinationsTotal == 0,
        "pending" => upload => upload.DestinationsDelivered + upload.DestinationsFailed < upload.DestinationsTotal,
        "delivered" => upload => upload.DestinationsTotal > 0 && upload.DestinationsDelivered == upload.DestinationsTotal,
        "failed" => upload => upload.DestinationsFailed > 0 && upload.DestinationsFailed == upload.DestinationsTotal,
        "partial" => upload => upload.DestinationsDelivered > 0 && upload.DestinationsFailed > 0
            && upload.DestinationsDelivered + upload.DestinationsFailed == upload.DestinationsTotal,
        _ => throw ApiErrors.Validation("status", "status must be stored_only, pending, delivered, failed or partial.").ToException(),
    };
}
