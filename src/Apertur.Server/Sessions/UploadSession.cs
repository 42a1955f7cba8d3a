using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Metadata;

namespace Apertur.Server.Sessions;

/// <summary>
/// An upload session: limits, state and counts of what was received through its link. Its id is the capability, so it is random.
/// </summary>
internal sealed class UploadSession : ITenantData
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public required Guid? KeyId { get; init; }
    public required Env Env { get; init; }
    public string? Label { get; init; }
    public string[]? Tags { get; init; }

    /// <summary>A JSON object as its creator sent it.</summary>
    public string? Metadata { get; init; }

    public required Guid[] DestinationIds { get; init; }
    public required int DestinationsCount { get; init; }
    public required bool LongPolling { get; init; }
    public required int MaxImages { get; set; }

    /// <summary>Empty when every type is allowed.</summary>
    public string[] AllowedMimeTypes { get; set; } = [];

    /// <summary>Pixels of the longer side.</summary>
    public int? MaxImageDimension { get; set; }

    public required int MaxImageSizeMb { get; set; }
    public string? PasswordHash { get; set; }

    /// <summary>What Done ends; null: the session when the visitor is alone, else the visitor's part.</summary>
    public DoneScope? Done { get; set; }

    /// <summary>Whether visitors may take back what they have sent, until their Done.</summary>
    public bool AllowWithdraw { get; set; } = true;

    /// <summary>Whether each photo may have a caption.</summary>
    public bool AllowCaptions { get; set; }

    /// <summary>What the page says to whoever sends photos, see <see cref="Pages.Instructions"/>.</summary>
    public string? Instructions { get; set; }

    /// <summary>What the page says after Done, in place of its own words.</summary>
    public string? ThankYou { get; set; }

    /// <summary>Where a link leads after Done.</summary>
    public string? ReturnUrl { get; set; }

    /// <summary>Whether the page offers the camera only.</summary>
    public bool CameraOnly { get; set; }

    /// <summary>What the page asks of whoever sends photos, see <see cref="Uploads.AskedFields"/>.</summary>
    public AskedField[] Ask { get; set; } = [];

    /// <summary>What is removed from photos before they are stored.</summary>
    public Strip Strip { get; set; }

    /// <summary>
    /// When passwords were guessed wrong lately, or are being checked now; unix milliseconds. See <see cref="SessionPasswords"/>.
    /// </summary>
    public long[] PasswordGuesses { get; set; } = [];

    /// <summary>What stands in its short link; null while it has none.</summary>
    public string? ShortCode { get; set; }

    /// <summary>When its link was sent to somebody lately; unix milliseconds.</summary>
    public long[] Shares { get; set; } = [];

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; set; }

    /// <summary>When the page was first opened or the first image came.</summary>
    public DateTimeOffset? OpenedAt { get; set; }

    /// <summary>When a person closed it; null for sessions that are open, full or merely expired.</summary>
    public DateTimeOffset? CompletedAt { get; set; }

    /// <summary>When it was seen to be over, see <see cref="SessionEnd"/>; null while it is open.</summary>
    public DateTimeOffset? OverAt { get; set; }

    /// <summary>Moves with every change of the session, its files and their deliveries; never goes back.</summary>
    public required DateTimeOffset LastChanged { get; set; }

    /// <summary>Index of the next image; withdrawn images do not give theirs back.</summary>
    public int NextIndex { get; set; }

    public int ImagesCount { get; set; }
    public int ImagesDispatched { get; set; }
    public int ImagesDelivered { get; set; }
    public int ImagesFailed { get; set; }
    public int DeliveriesOpen { get; set; }

    /// <summary>The word that the session's own endpoints use.</summary>
    public string Status(DateTimeOffset now) =>
        CompletedAt is not null || ImagesCount >= MaxImages ? "completed"
        : ExpiresAt <= now ? "expired"
        : OpenedAt is null ? "pending"
        : "active";

    /// <summary>The word that session rows use: also <c>failed</c>, when it is over and nothing of it arrived anywhere.</summary>
    public string RowStatus(DateTimeOffset now)
    {
        var status = Status(now);
        return status is "completed" or "expired" && ImagesDispatched > 0 && ImagesDelivered == 0 && DeliveriesOpen == 0
            ? "failed"
            : status;
    }

    /// <summary>Notes a change. Milliseconds are kept apart so that a waiting client never misses the second of two.</summary>
    public void Touch(DateTimeOffset now)
    {
        // In whole milliseconds, as the row keeps it: a part of one would be no progress.
        now = DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds());
        LastChanged = now > LastChanged ? now : LastChanged.AddMilliseconds(1);
    }
}
