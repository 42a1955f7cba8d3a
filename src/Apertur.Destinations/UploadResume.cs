using System.Text.Encodings.Web;
using System.Text.Json;

namespace Apertur.Destinations;

/// <summary>The state that an interrupted upload leaves in <see cref="Delivery.Resume"/> for the next attempt.</summary>
/// <param name="Name">The key, path or file id that the upload was for.</param>
/// <param name="Session">The service's upload session, a capability; null when none was opened.</param>
internal sealed record UploadResume(string Name, string? Session)
{
    // Nobody reads it in a page, and six characters for one of Cyrillic would burst the limit of a note.
    private static readonly JsonSerializerOptions _brief = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What an earlier attempt kept, or null.</summary>
    public static UploadResume? Of(Delivery delivery) =>
        delivery.Resume is null ? null : JsonSerializer.Deserialize<UploadResume>(delivery.Resume);

    public Task SaveAsync(Delivery delivery, CancellationToken cancellationToken) =>
        delivery.SaveResume(JsonSerializer.Serialize(this, _brief), cancellationToken);

    /// <summary>Without the session.</summary>
    public override string ToString() => Name;
}
