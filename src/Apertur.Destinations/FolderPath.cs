using System.Globalization;

namespace Apertur.Destinations;

/// <summary>A folder as its owner writes it: names between slashes, wherever else slashes and spaces stand.</summary>
internal static class FolderPath
{
    private const int MaxLength = 512;

    // Each one may cost a request.
    private const int MaxDepth = 20;

    /// <summary>A message when a folder cannot be used, null when it can. For <see cref="ConfigField.Check"/>.</summary>
    public static string? Problem(string folder)
    {
        if (folder.Length > MaxLength || Names(folder).Length > MaxDepth)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"The folder takes at most {MaxLength} characters and {MaxDepth} names.");
        }

        return Names(folder).Any(name => name is "." or "..") || folder.Any(c => char.IsControl(c) || c == '\\')
            ? "The folder must not hold the path segments . or .., control characters or backslashes."
            : null;
    }

    public static string[] Names(string folder) =>
        folder.Split('/', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
