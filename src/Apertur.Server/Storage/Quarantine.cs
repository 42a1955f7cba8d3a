using System.Globalization;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>A file that was set aside.</summary>
/// <param name="Id">The image that it is, or was to become.</param>
/// <param name="Since">The UTC day it was set aside.</param>
internal sealed record QuarantinedFile(Guid Id, string Path, DateOnly Since);

/// <summary>
/// The quarantine of files that no row names: <c>images/quarantine/yyyy-MM-dd/id</c>, by the day they were set aside. Most are the rest of an
/// upload that a crash interrupted, but after an older database was put back they are photos. A rename takes them there and back again, so
/// nothing is ever between the two places.
/// </summary>
internal sealed class Quarantine(Database database, BlobStore blobs)
{
    private const int BatchSize = 500;
    private const string FolderName = "quarantine";
    private const string DayFormat = "yyyy-MM-dd";

    private string Root => Path.Combine(blobs.Root, FolderName);

    /// <summary>Sets an image's file aside. Durable when it returns.</summary>
    /// <returns>False when there is no such file any more.</returns>
    public bool Add(Guid id, DateTimeOffset now)
    {
        var day = Path.Combine(Root, now.ToString(DayFormat, CultureInfo.InvariantCulture));
        if (!Directory.Exists(day))
        {
            DurableFile.CreateDirectory(Root);
            DurableFile.CreateDirectory(day);
        }

        File.Delete(blobs.ThumbnailPath(id));
        return Move(blobs.PathOf(id), Path.Combine(day, id.ToString()));
    }

    /// <summary>Puts an image's file back in its place. Durable when it returns.</summary>
    /// <returns>False when none was set aside.</returns>
    public bool Return(Guid id)
    {
        if (Days().Select(day => Path.Combine(day, id.ToString())).FirstOrDefault(File.Exists) is not { } path)
            return false;
        var place = blobs.PathOf(id);
        DurableFile.CreateDirectory(Path.GetDirectoryName(place)!);
        return Move(path, place);
    }

    /// <summary>
    /// Puts back what a row names, as after a newer database took the place of an older one, and gives the rest, what has been there longest
    /// first.
    /// </summary>
    public async Task<IReadOnlyList<QuarantinedFile>> SettleAsync(CancellationToken cancellationToken)
    {
        var rest = new List<QuarantinedFile>();
        foreach (var batch in Enumerate().Chunk(BatchSize))
        {
            var known = await KnownAsync(batch.Select(file => file.Id), cancellationToken);
            foreach (var id in known)
                Return(id);
            rest.AddRange(batch.Where(file => !known.Contains(file.Id)));
        }

        return rest;
    }

    /// <summary>Those of some images that there are rows of.</summary>
    public async Task<HashSet<Guid>> KnownAsync(IEnumerable<Guid> images, CancellationToken cancellationToken)
    {
        var ids = images.ToList();
        await using var db = database.Open();
        return await db.Uploads.Where(upload => ids.Contains(upload.Id)).Select(upload => upload.Id).ToHashSetAsync(cancellationToken);
    }

    /// <summary>Those of some images whose rows say that their bytes are gone.</summary>
    public async Task<HashSet<Guid>> RemovedAsync(IEnumerable<Guid> images, CancellationToken cancellationToken)
    {
        var ids = images.ToList();
        await using var db = database.Open();
        return await db.Uploads.Where(upload => ids.Contains(upload.Id) && !upload.IsStored).Select(upload => upload.Id).ToHashSetAsync(cancellationToken);
    }

    private IEnumerable<QuarantinedFile> Enumerate()
    {
        foreach (var day in Days())
        {
            if (!DateOnly.TryParseExact(Path.GetFileName(day), DayFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out var since))
                continue;
            foreach (var path in Directory.EnumerateFiles(day))
            {
                if (Guid.TryParseExact(Path.GetFileName(path), "D", out var id) && id.Version == 7)
                    yield return new QuarantinedFile(id, path, since);
            }
        }
    }

    /// <summary>Deletes a file that was set aside long enough, and the folder of its day when nothing else is in it.</summary>
    public static void Delete(QuarantinedFile file)
    {
        File.Delete(file.Path);
        try
        {
            Directory.Delete(Path.GetDirectoryName(file.Path)!);
        }
        catch (IOException)
        {
            // Others are in it, or another node removed it first.
        }
    }

    private IEnumerable<string> Days() =>
        Directory.Exists(Root) ? Directory.EnumerateDirectories(Root).Order(StringComparer.Ordinal) : [];

    private static bool Move(string path, string newPath)
    {
        try
        {
            DurableFile.Rename(path, newPath);
            return true;
        }
        // Another node, or another command, was faster.
        catch (IOException) when (!File.Exists(path) || File.Exists(newPath))
        {
            return false;
        }
    }
}
