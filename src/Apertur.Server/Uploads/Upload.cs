using Apertur.Destinations;
using Apertur.Server.Auth;

namespace Apertur.Server.Uploads;

/// <summary>One image that was received. Its bytes stand in the blob store under the same id.</summary>
internal sealed class Upload : ITenantData
{
    /// <summary>The name of a photo whose time was up. No other is called so: names of photos have an ending.</summary>
    public const string RemovedFilename = "removed";

    public required Guid Id { get; init; }
    public required Guid SessionId { get; init; }
    public required Guid ProjectId { get; init; }
    public required Env Env { get; init; }

    /// <summary>Position in its session, from 0.</summary>
    public int ImageIndex { get; set; }

    public required string Filename { get; set; }
    public required long SizeBytes { get; init; }
    public required string MimeType { get; init; }
    public required UploadFields Fields { get; set; }

    /// <summary>How often whoever sent it has said something else of it.</summary>
    public int CaptionChanges { get; set; }

    /// <summary>Of what is stored; 64 lower-case hex characters.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Of what was sent, where metadata were removed before it was stored; null where it was stored as it came.</summary>
    public string? OriginalSha256 { get; init; }

    /// <summary>Of what was sent.</summary>
    public string SentSha256 => OriginalSha256 ?? Sha256;

    public int? Width { get; init; }
    public int? Height { get; init; }
    public required bool IsEncrypted { get; init; }

    /// <summary>The type of each destination it goes to, sorted.</summary>
    public string[] DestinationTypes { get; set; } = [];

    public int DestinationsTotal { get; set; }
    public int DestinationsDelivered { get; set; }
    public int DestinationsFailed { get; set; }
    public DateTimeOffset? AcknowledgedAt { get; set; }

    /// <summary>When its stored bytes were found to be no longer what was received; null while they are. See <see cref="StoredImages"/>.</summary>
    public DateTimeOffset? DamagedAt { get; set; }

    public ImageFault? Damage { get; set; }

    /// <summary>
    /// Its place among the changes of its session: <see cref="Sessions.UploadSession.LastChanged"/> when it was received.
    /// </summary>
    public DateTimeOffset ReadyAt { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Why it has no thumbnail, as far as <see cref="ThumbnailFailedBy"/> found; null when that is not known.</summary>
    public string? ThumbnailFailure { get; set; }

    /// <summary>The build of this program that could not make one, see <see cref="Thumbnails.ThumbnailStore.Build"/>.</summary>
    public string? ThumbnailFailedBy { get; set; }

    /// <summary>When its time was up: nobody gets its bytes any more. See <see cref="Retention.PhotoRetention"/>.</summary>
    public DateTimeOffset? RemovedAt { get; set; }

    /// <summary>Whether its bytes may still be there.</summary>
    public bool IsStored { get; set; } = true;

    /// <summary>Takes it out of reach, with all that its sender said of it.</summary>
    public void Remove(DateTimeOffset now)
    {
        RemovedAt = now;
        Filename = RemovedFilename;
        Fields = Fields.WithoutWords();
        (DamagedAt, Damage, ThumbnailFailure, ThumbnailFailedBy) = (null, null, null, null);
    }

    /// <summary>The aggregate delivery status over all destinations.</summary>
    public string Status =>
        DestinationsTotal == 0 ? "stored_only"
        : DestinationsDelivered + DestinationsFailed < DestinationsTotal ? "pending"
        : DestinationsFailed == 0 ? "delivered"
        : DestinationsDelivered == 0 ? "failed"
        : "partial";
}
