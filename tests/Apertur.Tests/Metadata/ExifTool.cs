using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Metadata;

/// <summary>Reads metadata of photos by Phil Harvey's ExifTool, which knows more of them than any other program.</summary>
internal static class ExifTool
{
    private static readonly string[] _words = ["gps", "location", "city", "country", "latitude", "longitude", "geo"];

    /// <summary>Every tag of every photo, with the group that it is in, such as <c>XMP-dc:Creator</c>, by the photos' names.</summary>
    public static async Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(IEnumerable<(string Name, byte[] File)> photos)
    {
        Components.Program("exiftool");
        using var folder = new TempFolder();
        foreach (var (name, file) in photos)
            await File.WriteAllBytesAsync(folder.File(name), file, TestContext.Current.CancellationToken);
        // All there is: unknown tags, several of a name, what is embedded.
        var json = await Shell.RunAsync($"exiftool -json -G1 -a -u -U -ee -q '{folder.Path}'");
        return JsonNode.Parse(json)!.AsArray().Select(each => each!.AsObject())
            .ToDictionary(each => Path.GetFileName((string)each["SourceFile"]!), each => each);
    }

    /// <summary>Has it write a place into photos, in every standard that it knows for the kind.</summary>
    public static async Task<IReadOnlyList<(string Name, byte[] File)>> WritePlaceAsync(IReadOnlyList<(string Name, byte[] File)> photos)
    {
        Components.Program("exiftool");
        using var folder = new TempFolder();
        foreach (var (name, file) in photos)
            await File.WriteAllBytesAsync(folder.File(name), file, TestContext.Current.CancellationToken);
        await Shell.RunAsync(
            $"exiftool -q -q -m -overwrite_original -GPSLatitude=48.85 -GPSLatitudeRef=N -GPSLongitude=2.3 -GPSLongitudeRef=E -XMP:GPSLatitude=48.85 "
            + $"-XMP-photoshop:City='{Located.Place}' -IPTC:City='{Located.Place}' -Make='Camera works' '{folder.Path}'");
        return [.. photos.Select(photo => (photo.Name, File.ReadAllBytes(folder.File(photo.Name))))];
    }

    /// <summary>Tags that tell a place, by their name or in words.</summary>
    public static IReadOnlyList<string> Places(JsonObject tags) =>
    [
        .. tags.Where(tag => !IsOfFile(tag.Key) && (_words.Any(word => tag.Key.Contains(word, StringComparison.OrdinalIgnoreCase))
            || tag.Value!.ToJsonString().Contains(Located.Place, StringComparison.Ordinal))).Select(tag => tag.Key),
    ];

    /// <summary>The groups of tags, without those of the file itself.</summary>
    public static IEnumerable<string> Tags(JsonObject tags) => tags.Select(tag => tag.Key).Where(tag => !IsOfFile(tag));

    private static bool IsOfFile(string tag) => tag.Split(':')[0] is "SourceFile" or "System" or "File" or "ExifTool";
}
