using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Destinations;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>One attempt at one delivery, first or fiftieth, automatic or asked for: gather, deliver, write what came of it.</summary>
internal sealed partial class DeliveryRun(
    Database database,
    DestinationTypes types,
    DestinationConfigs configs,
    OAuthTokens tokens,
    ResumeNotes notes,
    BlobStore blobs,
    DownloadLinks links,
    DeliveryOutcomeWriter outcomes,
    Settings settings,
    TimeProvider clock,
    ILogger<DeliveryRun> log)
{
    private static readonly DeliveryOutcome _fileIsMissing = new DeliveryOutcome.TryAgain("The stored image is missing on the server's disk.");

    private readonly RetrySchedule _schedule = new(settings.Delivery.RetrySeconds);

    /// <param name="row">A delivery that this process has claimed.</param>
    /// <param name="stopping">Cancelled when the time to stop is up.</param>
    public async Task RunAsync(DeliveryRow row, CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        var result = await AttemptAsync(row, stopping);
        var state = await outcomes.WriteAsync(new Attempt(row, result, DestinationContacted: result != _fileIsMissing));
        var outcome = result?.GetType().Name ?? "Stopped";
        var elapsed = clock.GetElapsedTime(started).TotalMilliseconds;
        LogAttempt(
            row.Id, row.UploadId, row.DestinationType, row.DestinationId, row.Attempts, outcome, state, elapsed, result?.ReasonText);
    }

    private async Task<DeliveryOutcome?> AttemptAsync(DeliveryRow row, CancellationToken stopping)
    {
        if (row.LastError == IQueueRow.Abandoned && _schedule.After(row.Attempts - 1, asked: null, random: 0) is null)
            return new DeliveryOutcome.GiveUp("The server stopped during every attempt. Ask for another try if this image was not the reason.");

        using var attempt = new CancellationTokenSource(TimeSpan.FromMinutes(settings.Delivery.AttemptMinutes), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(attempt.Token, stopping);
        try
        {
            await using var db = database.Open();
            if (await GatherAsync(db, row, either.Token) is not { } about)
                return new DeliveryOutcome.GiveUp("The image was withdrawn.");
            if (about.Destination.DeletedAt is not null)
                return new DeliveryOutcome.GiveUp("The destination was deleted.");
            if (types.Find(about.Destination.Type) is not { } type)
                return new DeliveryOutcome.Broken($"This server has no destination type '{about.Destination.Type}'.");
            // Who withdraws an image removes its row first. A file that is missing is an accident, such as a disk that is not mounted.
            if (!blobs.Exists(row.UploadId))
                return _fileIsMissing;

            return await tokens.UseAsync(
                type, row.DestinationId, access => type.DeliverAsync(Describe(row, about, access), either.Token), either.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (ClaimLostException)
        {
            // Whoever has it now writes the outcome.
            return null;
        }
        catch (OperationCanceledException) when (attempt.IsCancellationRequested)
        {
            return new DeliveryOutcome.TryAgain($"The attempt took longer than {settings.Delivery.AttemptMinutes} minutes.");
        }
        catch (Exception exception)
        {
            LogThrown(row.Id, row.DestinationType, exception);
            return new DeliveryOutcome.TryAgain("The attempt failed for an unexpected reason.");
        }
    }

    private static Task<Gathered?> GatherAsync(AperturDb db, DeliveryRow row, CancellationToken cancellationToken) =>
        (from upload in db.Uploads
         join session in db.Sessions on upload.SessionId equals session.Id
         join project in db.Projects on upload.ProjectId equals project.Id
         join destination in db.Destinations on row.DestinationId equals destination.Id
         where upload.Id == row.UploadId
         select new Gathered(upload, session, project, destination))
        .AsNoTracking().SingleOrDefaultAsync(cancellationToken);

    private Delivery Describe(DeliveryRow row, Gathered about, OAuthTokens.Access access)
    {
        var (upload, session) = (about.Upload, about.Session);
        var target = configs.Target(about.Destination, access.ConnectedAt);
        return new()
        {
            Id = row.Id,
            ProjectName = about.Project.Name,
            SessionId = session.Id,
            ImageId = upload.Id,
            ImageIndex = upload.ImageIndex,
            Filename = upload.Filename,
            MimeType = upload.MimeType,
            SizeBytes = upload.SizeBytes,
            Sha256 = upload.Sha256,
            ReceivedAt = upload.CreatedAt,
            Tags = session.Tags ?? [],
            Metadata = session.Metadata is null ? null : JsonNode.Parse(session.Metadata)!.AsObject(),
            Config = configs.Read(about.Destination, about.Project, access.Token),
            OpenRead = () => blobs.OpenRead(upload.Id),
            DownloadUrl = () => links.Create(upload.Id),
            Resume = notes.Read(row, target),
            SaveResume = (text, cancellationToken) => notes.SaveAsync(row, target, text, cancellationToken),
        };
    }

    /// <summary>All that an attempt needs to know.</summary>
    private sealed record Gathered(Upload Upload, UploadSession Session, Project Project, Destination Destination);

    [LoggerMessage(EventName = "delivery.attempted", Level = LogLevel.Information,
        Message = "delivery.attempted {Delivery} image {Image} {Type} {Destination} attempt {Attempt}: {Outcome} -> {State} in {Milliseconds:F0} ms {Reason}")]
    private partial void LogAttempt(
        Guid delivery, Guid image, string type, Guid destination, int attempt, string outcome, DeliveryState? state, double milliseconds, string? reason);

    [LoggerMessage(EventName = "delivery.threw", Level = LogLevel.Warning, Message = "{Delivery} to {Type} threw")]
    private partial void LogThrown(Guid delivery, string type, Exception exception);
}
