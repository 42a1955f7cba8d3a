namespace Apertur.Server.Events;

/// <summary>An event as it is sent: written in the transaction that caused it, and never changed.</summary>
internal sealed class LoggedEvent
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public required string Topic { get; init; }

    /// <summary>The JSON that is sent; only the link to the image is put in when it is, because links do not live long.</summary>
    public required string Body { get; init; }

    /// <summary>The image whose link the body has; null when it has none.</summary>
    public Guid? UploadId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}
