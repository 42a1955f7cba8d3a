using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Audit;

/// <summary>Who changed what in a project, and when.</summary>
internal static class AuditApi
{
    /// <summary>A stretch of the audit log, newest first. It is read by cursor, so that new entries move nothing.</summary>
    public static async Task<Ok<AuditPage>> List(string projectId, HttpRequest request, AperturDb db, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        var limit = Paging.Number(request, "limit", 50, 1, 200);
        var cursor = request.Query["cursor"].ToString();
        if (cursor.Length > 0 && !Guid.TryParseExact(cursor, "D", out _))
            throw ApiErrors.Validation("cursor", "cursor must be the 'next' of an earlier page.").ToException();

        var entries = await db.AuditLog.AsNoTracking()
            .Where(entry => entry.ProjectId == project && (cursor == "" || string.Compare(entry.Id, cursor) < 0))
            .OrderByDescending(entry => entry.Id)
            .Take(limit + 1)
            .ToListAsync(cancellationToken);
        var more = entries.Count > limit;
        return TypedResults.Ok(new AuditPage(
            [.. entries.Take(limit).Select(e => new AuditRow(
                e.Id, new AuditActor(e.ActorType, e.ActorId, e.ActorName), e.Action, e.ThingId, e.Address, e.CreatedAt))],
            more ? entries[limit - 1].Id : null));
    }
}
