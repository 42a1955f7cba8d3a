using Apertur.Server.Queue;

namespace Apertur.Server.Events;

/// <summary>An event webhook: an address that receives the events of a project.</summary>
internal sealed class EventWebhook
{
    public const string Hmac = "hmac_sha256";
    public const string Svix = "svix";

    /// <summary>The place that <see cref="Secret"/> is bound to when encrypted.</summary>
    public const string SecretColumn = "event_webhooks.secret";

    /// <summary>The place that <see cref="CustomHeaders"/> are bound to when encrypted.</summary>
    public const string CustomHeadersColumn = "event_webhooks.custom_headers";

    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public string Url { get; set; } = "";

    /// <summary>Topics and patterns; see <see cref="Events.Topics"/>.</summary>
    public string[] Topics { get; set; } = [];

    /// <summary><see cref="Hmac"/> or <see cref="Svix"/>.</summary>
    public string SignatureMethod { get; set; } = Hmac;

    /// <summary>64 hex characters, encrypted.</summary>
    public required string Secret { get; init; }

    /// <summary>A JSON object of names and values, encrypted: often one of them is a password.</summary>
    public string CustomHeaders { get; set; } = "";

    /// <summary>Attempts after the first.</summary>
    public int MaxRetries { get; set; } = 8;

    /// <summary>Seconds before each retry; the last one counts for all that follow.</summary>
    public int[] RetryIntervals { get; set; } = [5, 30, 120, 600, 3600, 10_800, 28_800, 43_200];

    public int DisableAfterFailures { get; set; } = 50;
    public bool IsActive { get; set; } = true;

    /// <summary>Events that failed for good since the last one that arrived.</summary>
    public int ConsecutiveFailures { get; set; }

    /// <summary>When too many failures switched it off; null when they did not.</summary>
    public DateTimeOffset? DisabledAt { get; set; }

    /// <summary>Opens while the address is down.</summary>
    public Breaker Breaker { get; init; } = new();

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }

    /// <summary>How long to wait after this many attempts; null when that was the last.</summary>
    public TimeSpan? WaitAfter(int attempts) =>
        attempts > MaxRetries ? null : TimeSpan.FromSeconds(RetryIntervals[Math.Min(attempts, RetryIntervals.Length) - 1]);

    /// <summary>Counts an event that failed for good.</summary>
    /// <returns>Whether that switched it off.</returns>
    public bool CountFailure(DateTimeOffset now)
    {
        if (++ConsecutiveFailures < DisableAfterFailures || !IsActive)
            return false;
        IsActive = false;
        DisabledAt = now;
        UpdatedAt = now;
        return true;
    }
}
