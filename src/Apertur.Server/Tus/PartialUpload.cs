using Apertur.Server.Encryption;

namespace Apertur.Server.Tus;

/// <summary>
/// A photo that comes in pieces. Each request that brings bytes writes a part of its own; a part counts for as many bytes as its row says, so
/// a writer whose part was closed by somebody else has lost, wherever it runs and whatever it still writes.
/// </summary>
internal sealed class PartialUpload
{
    public required Guid Id { get; init; }
    public required Guid SessionId { get; init; }

    /// <summary>The idempotency key of the photo in its session: the client's, else one of our own.</summary>
    public required string Key { get; init; }

    /// <summary>Bytes of the whole file.</summary>
    public required long Length { get; init; }

    /// <summary><c>Upload-Metadata</c> as it was sent last.</summary>
    public required string Metadata { get; set; }

    public required EncryptionMode Encryption { get; init; }

    /// <summary>Durable bytes of each part that is closed.</summary>
    public long[] Parts { get; set; } = [];

    /// <summary>Whether the part after those is being written, or was when its node stopped.</summary>
    public bool IsOpen { get; set; }

    /// <summary>Whether the open part came with a checksum, so that it counts only as a whole.</summary>
    public bool IsChecked { get; set; }

    /// <summary>What was answered when the photo was received, JSON; null until then.</summary>
    public string? Answer { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; set; }

    /// <summary>How many bytes are durable. All of them are reported only when the photo has been received.</summary>
    public long Offset => Parts.Sum();
}
