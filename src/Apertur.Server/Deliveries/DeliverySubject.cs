using Apertur.Server.Destinations;
using Apertur.Server.Projects;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>The rows that an attempt needs.</summary>
internal sealed record DeliverySubject(Upload Upload, UploadSession Session, Project Project, Destination Destination)
{
    /// <summary>Reads them for many deliveries, in one statement for each table. Each is there: a delivery refers to it.</summary>
    public static async Task<IReadOnlyDictionary<Guid, DeliverySubject>> ReadAsync(
        AperturDb db, IReadOnlyCollection<DeliveryRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
            return new Dictionary<Guid, DeliverySubject>();

        var (uploadIds, sessionIds) = (Distinct(rows, row => row.UploadId), Distinct(rows, row => row.SessionId));
        var destinationIds = Distinct(rows, row => row.DestinationId);
        var uploads = await db.Uploads.AsNoTracking().Where(upload => EF.Parameter(uploadIds).Contains(upload.Id))
            .ToDictionaryAsync(upload => upload.Id, cancellationToken);
        var sessions = await db.Sessions.AsNoTracking().Where(session => EF.Parameter(sessionIds).Contains(session.Id))
            .ToDictionaryAsync(session => session.Id, cancellationToken);
        var destinations = await db.Destinations.AsNoTracking().Where(destination => EF.Parameter(destinationIds).Contains(destination.Id))
            .ToDictionaryAsync(destination => destination.Id, cancellationToken);
        var projectIds = Distinct(uploads.Values, upload => upload.ProjectId);
        var projects = await db.Projects.AsNoTracking().Where(project => EF.Parameter(projectIds).Contains(project.Id))
            .ToDictionaryAsync(project => project.Id, cancellationToken);

        return rows.ToDictionary(row => row.Id, row => new DeliverySubject(
            uploads[row.UploadId], sessions[row.SessionId], projects[uploads[row.UploadId].ProjectId], destinations[row.DestinationId]));
    }

    private static List<Guid> Distinct<T>(IEnumerable<T> rows, Func<T, Guid> id) => [.. rows.Select(id).Distinct()];
}
