using System.Globalization;
using Apertur.Server.Uploads;

namespace Apertur.Server.Backups;

/// <summary>The photos that a copy of a database names, a line each, in a file: there may be more than memory holds.</summary>
internal static class PhotoList
{
    /// <summary>The lines, for both databases.</summary>
    public const string Select = $"SELECT id || ' ' || sha256 || ' ' || size_bytes FROM uploads WHERE {StoredUploads.Condition} ORDER BY id";

    public static IEnumerable<Photo> Read(string path) =>
        File.ReadLines(path).Select(line => line.Split(' '))
            .Select(parts => new Photo(Guid.Parse(parts[0]), parts[1], long.Parse(parts[2], CultureInfo.InvariantCulture)));
}
