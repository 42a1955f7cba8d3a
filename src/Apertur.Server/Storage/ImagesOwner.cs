using System.Text;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>The database's side of the mark: its id, and whether the folder was given it.</summary>
internal sealed class ImagesOwnership
{
    public required Guid Id { get; init; }

    /// <summary>Always 1: there is one.</summary>
    public int TheOne { get; init; } = 1;

    public required bool IsMarked { get; set; }
}

/// <summary>
/// Ties the folder of images to one database, by an id in both. A server whose database does not know the photos in the folder would take
/// them for leftovers, so it does not start: a staging copy on the folder of another, an empty database on an old folder, a file system that
/// is not mounted. With PostgreSQL the mark also names the database itself, which a copy made by <c>pg_dump</c> is not.
/// </summary>
internal sealed class ImagesOwner(Database database, BlobStore blobs)
{
    private const string FileName = "owner";

    private string MarkPath => Path.Combine(blobs.Root, FileName);

    /// <summary>Gives the folder the database's mark when it has none and should not have one yet; refuses every other doubt.</summary>
    /// <exception cref="InvalidOperationException">The folder is not this database's; the message says what to do.</exception>
    public async Task AssertAsync(CancellationToken cancellationToken)
    {
        var (own, mark) = await OwnAsync(cancellationToken);
        if (!own.IsMarked && ReadMark() is null)
        {
            await AssertTogetherAsync(cancellationToken);
            WriteMark(mark, overwrite: false);
        }

        if (ReadMark() is not { } found)
        {
            throw new InvalidOperationException(
                $"The folder of images, {blobs.Root}, does not carry the mark of this database, the file \"{FileName}\". Is its file system "
                + $"mounted, and is it the right folder? {HowToClaim}");
        }

        if (found != mark)
        {
            throw new InvalidOperationException(
                $"The folder of images, {blobs.Root}, belongs to another database, or this database is a copy of the one that it belongs to: a "
                + $"server on both would take the photos of one for leftovers of the other. Give this server a folder of its own. {HowToClaim}");
        }

        if (!own.IsMarked)
            await NoteMarkedAsync(own.Id, cancellationToken);
    }

    /// <summary>Makes the folder this database's, whatever it was before.</summary>
    public async Task ClaimAsync(CancellationToken cancellationToken)
    {
        var (own, mark) = await OwnAsync(cancellationToken);
        WriteMark(mark, overwrite: true);
        await NoteMarkedAsync(own.Id, cancellationToken);
    }

    /// <summary>Whether the folder is there and this database's, as it stands now.</summary>
    public async Task<bool> HoldsAsync(CancellationToken cancellationToken)
    {
        var (_, mark) = await OwnAsync(cancellationToken);
        return ReadMark() == mark;
    }

    private static string HowToClaim =>
        "If this database is the right one for the photos there, say so with 'images claim' and start again.";

    /// <summary>Before the first mark: photos without rows, and rows without photos, are signs that the two do not belong together.</summary>
    private async Task AssertTogetherAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var knowsPhotos = await db.Uploads.AnyAsync(cancellationToken);
        var holdsPhotos = blobs.Enumerate().Any();
        if (knowsPhotos && !holdsPhotos)
        {
            throw new InvalidOperationException(
                $"The folder of images, {blobs.Root}, is empty, but there are photos in the database. Is its file system mounted? {HowToClaim}");
        }

        if (holdsPhotos && !knowsPhotos)
        {
            throw new InvalidOperationException(
                $"The folder of images, {blobs.Root}, holds photos, but the database knows none. Is it the right database? {HowToClaim}");
        }
    }

    private async Task<(ImagesOwnership Own, string Mark)> OwnAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        if (await db.ImagesOwnership.AsNoTracking().SingleOrDefaultAsync(cancellationToken) is not { } own)
        {
            var id = Guid.NewGuid().ToString();
            // Nodes that start at once on one database all take the id of whoever was first.
            await database.WriteAsync(
                write => write.Database.ExecuteSqlAsync(
                    $"INSERT INTO images_owner (id, the_one, is_marked) VALUES ({id}, 1, FALSE) ON CONFLICT DO NOTHING", cancellationToken),
                cancellationToken);
            own = await db.ImagesOwnership.AsNoTracking().SingleAsync(cancellationToken);
        }

        return (own, $"The photos in this folder belong to the Apertur database {own.Id} {await PlaceAsync(db, cancellationToken)}\n");
    }

    /// <summary>
    /// What tells a database from its copies, and stays when a standby takes over. SQLite has nothing of the kind, and needs it less: its file
    /// and the images lie in one folder with one lock.
    /// </summary>
    private async Task<string> PlaceAsync(AperturDb db, CancellationToken cancellationToken)
    {
        if (database.IsSqlite)
            return "(SQLite)";
        var oid = await TextAsync($"SELECT CAST(oid AS TEXT) AS \"Value\" FROM pg_database WHERE datname = current_database()");
        // Everybody may ask, unless somebody has forbidden it.
        var mayAsk = await TextAsync($"SELECT CAST(has_function_privilege('pg_control_system()', 'EXECUTE') AS TEXT) AS \"Value\"");
        var cluster = mayAsk == "true"
            ? await TextAsync($"SELECT CAST(system_identifier AS TEXT) AS \"Value\" FROM pg_control_system()")
            : "unknown";
        return $"(PostgreSQL {cluster}, {oid})";

        Task<string> TextAsync(FormattableString sql) => db.Database.SqlQuery<string>(sql).SingleAsync(cancellationToken);
    }

    private Task NoteMarkedAsync(Guid id, CancellationToken cancellationToken) => database.WriteAsync(
        db => db.ImagesOwnership.Where(own => own.Id == id)
            .ExecuteUpdateAsync(own => own.SetProperty(o => o.IsMarked, true), cancellationToken),
        cancellationToken);

    private string? ReadMark()
    {
        try
        {
            return File.ReadAllText(MarkPath);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private void WriteMark(string mark, bool overwrite)
    {
        try
        {
            DurableFile.Write(MarkPath, Encoding.UTF8.GetBytes(mark), overwrite);
        }
        catch (IOException) when (!overwrite && File.Exists(MarkPath))
        {
            // Another node, or another database, was first: whose mark it is shows when it is read.
        }
    }
}
