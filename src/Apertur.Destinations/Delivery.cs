using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>One image on its way to one destination, with everything a destination may tell about it.</summary>
public sealed record Delivery
{
    /// <summary>The idempotency key: the same over all attempts of this delivery.</summary>
    public required Guid Id { get; init; }

    public required string ProjectName { get; init; }

    public required Guid SessionId { get; init; }

    public required Guid ImageId { get; init; }

    /// <summary>Position of the image in its session, from 0, in order of arrival.</summary>
    public required int ImageIndex { get; init; }

    /// <summary>The sanitised name the image came with. Not unique, and untrusted: never a path.</summary>
    public required string Filename { get; init; }

    public required string MimeType { get; init; }

    public required long SizeBytes { get; init; }

    /// <summary>SHA-256 of the bytes, 64 lower-case hex characters.</summary>
    public required string Sha256 { get; init; }

    /// <summary>SHA-256 of what was sent to the server, where it removed metadata from it; null where these are the bytes as they came.</summary>
    public string? OriginalSha256 { get; init; }

    /// <summary>Which of the visitors of its session sent it, by an id of that visitor's own; null when nobody said.</summary>
    public string? Visitor { get; init; }

    /// <summary>What its sender says of the photo: untrusted, one line without control characters; null when nothing.</summary>
    public string? Caption { get; init; }

    /// <summary>What the session asked for and the sender gave, texts by name: untrusted, without control characters but line feeds; null when there is nothing.</summary>
    public JsonObject? Answers { get; init; }

    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>The session's tags; empty when it has none.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>The session's metadata object as its creator sent it; null when there is none.</summary>
    public JsonObject? Metadata { get; init; }

    public required DestinationConfig Config { get; init; }

    /// <summary>
    /// Opens the stored bytes from the start, seekable, <see cref="SizeBytes"/> long. The caller disposes it. The server gives the stream of a
    /// <see cref="VerifiedImage"/>: what it gives is what <see cref="Sha256"/> is of, however it is read; when the file changes meanwhile it
    /// throws a <see cref="StoredImageException"/>, which ends the attempt. Do not catch it.
    /// </summary>
    public required Func<Stream> OpenRead { get; init; }

    /// <summary>Makes a signed address that gives the bytes to anyone for 24 hours.</summary>
    public required Func<Uri> DownloadUrl { get; init; }

    /// <summary>What <see cref="SaveResume"/> kept in an earlier attempt of this delivery; null when there is nothing.</summary>
    public string? Resume { get; init; }

    /// <summary>
    /// Keeps a string of at most 4,096 characters for later attempts of this delivery: an upload session to go on with, an id
    /// to use again. It is durable when the task is done, so it may be saved before the act that it makes repeatable. The
    /// caller encrypts it (a session's address is a capability), forgets it when the delivery has ended, and throws when the
    /// delivery has meanwhile gone to another worker.
    /// </summary>
    public Func<string, CancellationToken, Task> SaveResume { get; init; } = static (_, _) => Task.CompletedTask;

    /// <summary>The id alone: everything else here may be private.</summary>
    public override string ToString() => $"delivery {Id}";
}
