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
    /// <summary>Reads them for many deliveries, in one statement for each table. A delivery whose image was withdrawn has none.</summary>
    public static async Task<IReadOnlyDictionary<Guid, DeliverySubject>> ReadAsync(
        AperturDb db, IReadOnlyCollection<DeliveryRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
            return new Dictionary<Guid, DeliverySubject>();

        var (uploadIds, sessionIds) = (Distinct(rows, row => row.UploadId), Distinct(rows, row => row.SessionId));
        var destinationIds = Distinct(rows, row => row.DestinationId);
        var uploads = await db.Uploads.AsNoTracking().Where(upload => uploadIds.Contains(upload.Id))
            .ToDictionaryAsync(upload => upload.Id, cancellationToken);
        var sessions = await db.Sessions.AsNoTracking().Where(session => sessionIds.Contains(session.Id))
            .ToDictionaryAsync(session => session.Id, cancellationToken);
        var destinations = await db.Destinations.AsNoTracking().Where(destination => destinationIds.Contains(destination.Id))
            .ToDictionaryAsync(destination => destination.Id, cancellationToken);
        var projectIds = Distinct(destinations.Values, destination => destination.ProjectId);
        var projects = await db.Projects.AsNoTracking().Where(project => projectIds.Contains(project.Id))
            .ToDictionaryAsync(project => project.Id, cancellationToken);

        var subjects = new Dictionary<Guid, DeliverySubject>(rows.Count);
        foreach (var row in rows)
        {
            if (uploads.TryGetValue(row.UploadId, out var upload) && sessions.TryGetValue(row.SessionId, out var session)
                && destinations.TryGetValue(row.DestinationId, out var destination) && projects.TryGetValue(upload.ProjectId, out var project))
                subjects[row.Id] = new DeliverySubject(upload, session, project, destination);
        }

        return subjects;
    }

    private static List<Guid> Distinct<T>(IEnumerable<T> rows, Func<T, Guid> id) => [.. rows.Select(id).Distinct()];
}
