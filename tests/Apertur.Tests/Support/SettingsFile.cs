using System.Text.Json.Nodes;

namespace Apertur.Tests.Support;

/// <summary>What stands in an <c>apertur.json</c>.</summary>
internal static class SettingsFile
{
    /// <summary>Adds settings that are named by their path, <c>Storage:S3:Bucket</c>.</summary>
    public static void Add(JsonObject settings, IEnumerable<KeyValuePair<string, string?>> more)
    {
        foreach (var (name, value) in more)
        {
            var parts = name.Split(':');
            var section = settings;
            foreach (var part in parts[..^1])
                section = (JsonObject)(section[part] ??= new JsonObject());
            section[parts[^1]] = value;
        }
    }
}
