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
