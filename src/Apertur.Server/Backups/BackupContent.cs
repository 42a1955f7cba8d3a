using Apertur.Server.Storage;

namespace Apertur.Server.Backups;

/// <summary>One backup that is complete.</summary>
internal sealed class BackupContent
{
    public const string Manifest = "manifest.json";
    public const string Sums = "SHA256SUMS";
    public const string Database = "database";
    public const string Keys = "keys";
    public const string Settings = "apertur.json";

    private const string DamagedSuffix = ".damaged";

    // As `sha256sum` writes and reads it.
    private const string Separator = "  ";
    private const string AmongPhotos = $"../{BackupFolder.Photos}/";

    private BackupContent(string path, BackupManifest about) => (Path, About) = (path, about);

    /// <summary>Its folder.</summary>
    public string Path { get; }

    public BackupManifest About { get; }

    /// <summary>One backup by its own folder, or the newest of a folder of backups.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static BackupContent Find(string path) => File.Exists(System.IO.Path.Combine(path, Manifest))
        ? Open(System.IO.Path.GetFullPath(path))
        : (Directory.Exists(path) ? AllIn(System.IO.Path.GetFullPath(path)).LastOrDefault() : null)
            ?? throw new InvalidOperationException($"There is no backup in {System.IO.Path.GetFullPath(path)}.");

    /// <summary>Those in a folder, oldest first.</summary>
    public static IEnumerable<BackupContent> AllIn(string root) => Directory.GetDirectories(root)
        .Where(path => File.Exists(System.IO.Path.Combine(path, Manifest)) && !path.EndsWith(BackupFolder.DraftSuffix, StringComparison.Ordinal))
        .Order(StringComparer.Ordinal).Select(Open);

    /// <exception cref="InvalidOperationException">It was made by a newer version.</exception>
    public static BackupContent Open(string path)
    {
        var about = BackupManifest.Parse(File.ReadAllBytes(System.IO.Path.Combine(path, Manifest)));
        return about.Format == BackupManifest.CurrentFormat
            ? new BackupContent(path, about)
            : throw new InvalidOperationException($"{path} was made by a newer version of this program.");
    }

    /// <summary>Every file that is part of it.</summary>
    public IEnumerable<SummedFile> Files() =>
        File.ReadLines(PathOf(Sums)).Select(line => line.Split(Separator, 2)).Select(parts => new SummedFile(parts[0], parts[1]));

    /// <summary>The photos among them.</summary>
    public IEnumerable<Photo> Photos() =>
        Files().Where(IsPhoto).Select(file => new Photo(BlobStore.IdOf(file.Path[AmongPhotos.Length..])!.Value, file.Sha256));

    public string PathOf(string file) => System.IO.Path.GetFullPath(System.IO.Path.Combine(Path, file));

    /// <summary>Where a photo of it is.</summary>
    public string PathOf(Photo photo) => PathOf(AmongPhotos + BlobStore.KeyOf(photo.Id));

    /// <summary>Those of some of its files that are missing or are not what was backed up.</summary>
    public async Task<IReadOnlyList<string>> FindDamageAsync(Func<SummedFile, bool> which, CancellationToken cancellationToken)
    {
        var damaged = new List<string>();
        await Parallel.ForEachAsync(
            Files().Where(which),
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancellationToken },
            (file, _) =>
            {
                var path = PathOf(file.Path);
                if (BackupFolder.HashFile(path) == file.Sha256)
                    return ValueTask.CompletedTask;
                lock (damaged)
                    damaged.Add(path);
                return ValueTask.CompletedTask;
            });
        // A list that was cut off names fewer than there were.
        if (Files().LongCount(IsPhoto) != (About.Photos ?? 0) || !Files().Any(file => file.Path == Manifest))
            damaged.Add(PathOf(Sums));
        return [.. damaged.Order(StringComparer.Ordinal)];
    }

    /// <summary>
    /// Takes damaged photos out of the way, under a name of their own beside their place, so that the next backup copies them again. Those of a
    /// folder that nobody may write to stay.
    /// </summary>
    /// <param name="damaged">What <see cref="FindDamageAsync"/> has found.</param>
    /// <returns>How many were.</returns>
    public int SetAside(IEnumerable<string> damaged)
    {
        var photos = PathOf(AmongPhotos);
        var aside = 0;
        foreach (var path in damaged.Where(path => path.StartsWith(photos, StringComparison.Ordinal) && File.Exists(path)))
        {
            try
            {
                DurableFile.Rename(path, path + DamagedSuffix, overwrite: true);
                aside++;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // It is named all the same.
            }
        }

        return aside;
    }

    public static bool IsPhoto(SummedFile file) => file.Path.StartsWith(AmongPhotos, StringComparison.Ordinal);

    /// <summary>Writes the list of the files of a backup that is about to be complete.</summary>
    public static void WriteSums(string draft, IEnumerable<Photo> photos)
    {
        // Before the list is one of them.
        SummedFile[] own =
        [
            .. Directory.GetFiles(draft, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(
                path => new SummedFile(
                    BackupFolder.HashFile(path) ?? throw new IOException($"{path} cannot be read."), System.IO.Path.GetRelativePath(draft, path).Replace('\\', '/'))),
        ];
        using var file = new FileStream(System.IO.Path.Combine(draft, Sums), FileMode.CreateNew);
        using var text = new StreamWriter(file);
        foreach (var sum in own.Concat(photos.Select(photo => new SummedFile(photo.Sha256, AmongPhotos + BlobStore.KeyOf(photo.Id)))))
            text.Write($"{sum.Sha256}{Separator}{sum.Path}\n");
        text.Flush();
        file.Flush(flushToDisk: true);
    }
}
