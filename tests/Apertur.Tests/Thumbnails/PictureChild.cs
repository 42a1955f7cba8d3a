using Apertur.Tests.Support;

namespace Apertur.Tests.Thumbnails;

/// <summary>A process of this one that decodes a picture, as the system sees it.</summary>
internal static class PictureChild
{
    /// <summary>Waits until there is one that has limited itself, and so decodes.</summary>
    /// <param name="cpuSeconds">Its limit, by which it is told from those of other tests.</param>
    /// <returns>Its folder below <c>/proc</c>.</returns>
    public static async Task<string> FindAsync(int cpuSeconds) => (await Eventually.Becomes(
        () => Task.FromResult(Directory.GetDirectories("/proc").FirstOrDefault(process =>
            Read(process, "stat")?.Split(')')[^1].Split(' ') is [_, _, var parent, ..] && parent == $"{Environment.ProcessId}"
            && LimitOf(process, "cpu time") == $"{cpuSeconds}" && LimitOf(process, "open files") == "0")),
        child => child is not null))!;

    public static int IdOf(string process) => int.Parse(Path.GetFileName(process), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A soft limit, which comes first: "Max open files            0                    0                    files".</summary>
    public static string? LimitOf(string process, string name) =>
        Read(process, "limits")?.Split('\n').Single(line => line.StartsWith($"Max {name} ", StringComparison.Ordinal))[26..].Split(' ')[0];

    /// <returns>Null when the process has ended.</returns>
    public static string? Read(string process, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, file));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
