using System.Diagnostics;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Renditions;
using Apertur.Server.Telemetry;
using Apertur.Server.Uploads;

namespace Apertur.Server.Deliveries;

/// <summary>One attempt at one delivery, first or fiftieth, automatic or asked for: deliver, and write what came of it.</summary>
internal sealed partial class DeliveryRun(
    DestinationTypes types,
    DestinationConfigs configs,
    OAuthTokens tokens,
    ResumeNotes notes,
    RenditionStore renditions,
    DownloadLinks links,
    DeliveryOutcomeWriter outcomes,
    Settings settings,
    TimeProvider clock,
    ILogger<DeliveryRun> log)
{
    private readonly RetrySchedule _schedule = new(settings.Delivery.RetrySeconds);

    /// <param name="row">A delivery that this process has claimed.</param>
    /// <param name="about">What it is about.</param>
    /// <param name="attempted">Told whether the destination took the image, before that is written.</param>
    /// <param name="stopping">Cancelled when the time to stop is up.</param>
    public async Task RunAsync(DeliveryRow row, DeliverySubject about, Action<bool> attempted, CancellationToken stopping)
    {
        using var activity = Instruments.Continue("delivery.attempt", row.TraceParent);
        var started = clock.GetTimestamp();
        var (result, isContacted) = await AttemptAsync(row, about, stopping);
        var took = clock.GetElapsedTime(started);
        attempted(result is DeliveryOutcome.Accepted);
        var state = await outcomes.WriteAsync(new Attempt(row, result, took, isContacted, about.Destination.ResumedAt));
        var outcome = result?.GetType().Name ?? "Stopped";
        Measure(row, outcome, state, took, activity);
        var elapsed = clock.GetElapsedTime(started).TotalMilliseconds;
        LogAttempt(
            row.Id, row.UploadId, row.DestinationType, row.DestinationId, row.Attempts, outcome, state, elapsed, result?.ReasonText);
    }

    private void Measure(DeliveryRow row, string outcome, DeliveryState? state, TimeSpan took, Activity? activity)
    {
        var type = new KeyValuePair<string, object?>("type", row.DestinationType);
        Instruments.DeliveryAttempts.Record(took.TotalSeconds, type, new("outcome", outcome));
        if (state == DeliveryState.Sent)
            Instruments.DeliveryLatency.Record((clock.GetUtcNow() - row.CreatedAt).TotalSeconds, type);
        activity?.SetTag("apertur.delivery.id", row.Id)
            .SetTag("apertur.image.id", row.UploadId)
            .SetTag("apertur.destination.id", row.DestinationId)
            .SetTag("apertur.destination.type", row.DestinationType)
            .SetTag("apertur.delivery.attempt", row.Attempts)
            .SetTag("apertur.delivery.outcome", outcome)
            .SetStatus(outcome is nameof(DeliveryOutcome.Accepted) ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
    }

    private async Task<(DeliveryOutcome? Result, bool IsContacted)> AttemptAsync(
        DeliveryRow row, DeliverySubject about, CancellationToken stopping)
    {
        if (about.Destination.DeletedAt is not null)
            return (new DeliveryOutcome.GiveUp("The destination was deleted."), false);
        if (row.LastError == IQueueRow.Abandoned && _schedule.WaitAfter(row.Attempts - 1, random: 0) is null)
        {
            return (new DeliveryOutcome.GiveUp(
                "The server stopped during every attempt. Ask for another try if this image was not the reason."), false);
        }

        try
        {
            return types.Find(about.Destination.Type) is { } type
                ? await DeliverInTimeAsync(row, about, type, stopping)
                : (new DeliveryOutcome.Broken($"This server has no destination type '{about.Destination.Type}'."), false);
        }
        // An accident, such as a disk that failed: it waits like any other failure, until somebody has put the right file back.
        catch (StoredImageException exception)
        {
            return (new DeliveryOutcome.TryAgain(exception.Message), false);
        }
        catch (RenditionException exception)
        {
            return (exception.IsFinal ? new DeliveryOutcome.GiveUp(exception.Message) : new DeliveryOutcome.TryAgain(exception.Message), false);
        }
    }

    /// <returns>Also whether it came to asking the destination: what making a rendition takes says nothing of it.</returns>
    private async Task<(DeliveryOutcome? Result, bool IsContacted)> DeliverInTimeAsync(
        DeliveryRow row, DeliverySubject about, IDestinationType type, CancellationToken stopping)
    {
        using var attempt = new CancellationTokenSource(TimeSpan.FromMinutes(settings.Delivery.AttemptMinutes), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(attempt.Token, stopping);
        var isContacted = false;
        try
        {
            var image = await renditions.ReadAsync(about.Upload, Rendition.Of(configs.Read(about.Destination, about.Project)), either.Token);
            isContacted = true;
            return (await DeliverAsync(row, about, type, image, either.Token), true);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return (null, isContacted);
        }
        catch (ClaimLostException)
        {
            // Whoever has it now writes the outcome.
            return (null, isContacted);
        }
        catch (OperationCanceledException) when (attempt.IsCancellationRequested)
        {
            return (new DeliveryOutcome.TryAgain($"The attempt took longer than {settings.Delivery.AttemptMinutes} minutes.") { TimedOut = true }, isContacted);
        }
        catch (Exception exception) when (exception is not (StoredImageException or RenditionException))
        {
            LogThrown(row.Id, row.DestinationType, exception);
            return (new DeliveryOutcome.TryAgain("The attempt failed for an unexpected reason."), isContacted);
        }
    }

    private async Task<DeliveryOutcome> DeliverAsync(
        DeliveryRow row, DeliverySubject about, IDestinationType type, SentImage image, CancellationToken cancellationToken)
    {
        try
        {
            var outcome = type is IOAuthDestination { OAuth: { } flow }
                ? await tokens.UseAsync(flow, row.DestinationId, DeliverWithAsync, cancellationToken)
                : await DeliverWithAsync(OAuthTokens.Access.None);
            // Whatever a type made of the exception: bytes that were not given out cannot have arrived.
            return image.Bytes.Fault is { } fault ? throw new StoredImageException(fault) : outcome;
        }
        catch (StoredImageException exception)
        {
            await renditions.TellAsync(about.Upload, image, exception.Fault);
            throw;
        }

        Task<DeliveryOutcome> DeliverWithAsync(OAuthTokens.Access access) =>
            type.DeliverAsync(Describe(row, about, image, access), cancellationToken);
    }

    private Delivery Describe(DeliveryRow row, DeliverySubject about, SentImage image, OAuthTokens.Access access)
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
            Filename = image.Filename,
            MimeType = image.MimeType,
            SizeBytes = image.Bytes.Length,
            Sha256 = image.Sha256,
            OriginalSha256 = image.OriginalSha256,
            IsRendition = image.Rendition is not null,
            Visitor = upload.Fields.Visitor,
            Caption = upload.Fields.Caption,
            Answers = UploadFields.Read(upload.Fields.Answers),
            ReceivedAt = upload.CreatedAt,
            Tags = session.Tags ?? [],
            Metadata = session.Metadata is null ? null : JsonNode.Parse(session.Metadata)!.AsObject(),
            Config = configs.Read(about.Destination, about.Project, access.Token),
            OpenRead = image.Bytes.OpenRead,
            DownloadUrl = () => links.Create(upload.Id, image.Rendition),
            Resume = notes.Read(row, target),
            SaveResume = (text, cancellationToken) => notes.SaveAsync(row, target, text, cancellationToken),
        };
    }

    [LoggerMessage(EventName = "delivery.attempted", Level = LogLevel.Information,
        Message = "delivery.attempted {Delivery} image {Image} {Type} {Destination} attempt {Attempt}: {Outcome} -> {State} in {Milliseconds:F0} ms {Reason}")]
    private partial void LogAttempt(
        Guid delivery, Guid image, string type, Guid destination, int attempt, string outcome, DeliveryState? state, double milliseconds, string? reason);

    [LoggerMessage(EventName = "delivery.threw", Level = LogLevel.Warning, Message = "{Delivery} to {Type} threw")]
    private partial void LogThrown(Guid delivery, string type, Exception exception);
}
