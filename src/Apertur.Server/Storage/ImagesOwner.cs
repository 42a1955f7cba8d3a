using System.Text;
using Apertur.Server.Blobs;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>The database's side of the mark: its id, and whether the store was given it.</summary>
internal sealed class ImagesOwnership
{
    public required Guid Id { get; init; }

    /// <summary>Always 1: there is one.</summary>
    public int TheOne { get; init; } = 1;

    public required bool IsMarked { get; set; }
}

/// <summary>
/// Ties the store of images to one database, by an id in both. A server whose database does not know the photos in it would take
/// them for leftovers, so it does not start: a staging copy on the folder of another, an empty database on an old folder, a file system that
/// is not mounted. With PostgreSQL the mark also names the database itself, which a copy made by <c>pg_dump</c> is not.
/// </summary>
internal sealed class ImagesOwner(Database database, BlobStore blobs)
{
    private const string Key = "owner";

    /// <summary>Gives the store the database's mark when it has none and should not have one yet; refuses every other doubt.</summary>
    /// <exception cref="InvalidOperationException">The store is not this database's; the message says what to do.</exception>
    public async Task AssertAsync(CancellationToken cancellationToken)
    {
        var (own, mark) = await OwnAsync(cancellationToken);
        if (!own.IsMarked && await ReadMarkAsync(blobs.Blobs, cancellationToken) is null)
        {
            await AssertTogetherAsync(cancellationToken);
            // Another node, or another database, may be first: whose mark it is shows when it is read.
            await WriteMarkAsync(blobs.Blobs, mark, overwrite: false, cancellationToken);
        }

        if (await ReadMarkAsync(blobs.Blobs, cancellationToken) is not { } found)
        {
            throw new InvalidOperationException(
                $"The store of images, {blobs.Root}, does not carry the mark of this database, the file \"{Key}\". Is it the right one, is its "
                + $"file system mounted, and were the photos moved there with 'blobs move'? {HowToClaim}");
        }

        if (found != mark)
            throw Foreign(blobs.Blobs);

        if (!own.IsMarked)
            await NoteMarkedAsync(own.Id, cancellationToken);
    }

    /// <summary>Makes the store this database's, whatever it was before.</summary>
    public async Task ClaimAsync(CancellationToken cancellationToken)
    {
        var (own, mark) = await OwnAsync(cancellationToken);
        await WriteMarkAsync(blobs.Blobs, mark, overwrite: true, cancellationToken);
        await NoteMarkedAsync(own.Id, cancellationToken);
    }

    /// <summary>Gives a place that photos are to be moved to this database's mark.</summary>
    /// <exception cref="InvalidOperationException">It has another's already.</exception>
    public async Task ExtendAsync(IBlobs place, CancellationToken cancellationToken)
    {
        var (_, mark) = await OwnAsync(cancellationToken);
        if (await ReadMarkAsync(place, cancellationToken) is null)
            await WriteMarkAsync(place, mark, overwrite: false, cancellationToken);
        if (await ReadMarkAsync(place, cancellationToken) != mark)
            throw Foreign(place);
    }

    /// <summary>Whether the store is there and this database's, as it stands now.</summary>
    public Task<bool> HoldsAsync(CancellationToken cancellationToken) => HoldsAsync(blobs.Blobs, cancellationToken);

    /// <inheritdoc cref="HoldsAsync(CancellationToken)"/>
    public async Task<bool> HoldsAsync(IBlobs place, CancellationToken cancellationToken)
    {
        var (_, mark) = await OwnAsync(cancellationToken);
        return await ReadMarkAsync(place, cancellationToken) == mark;
    }

    private static InvalidOperationException Foreign(IBlobs place) => new(
        $"The store of images, {place.Root}, belongs to another database, or this database is a copy of the one that it belongs to: a "
        + $"server on both would take the photos of one for leftovers of the other. Give this server a folder or prefix of its own. {HowToClaim}");

    private static string HowToClaim =>
        "If this database is the right one for the photos there, say so with 'images claim' and start again.";

    /// <summary>Before the first mark: photos without rows, and rows without photos, are signs that the two do not belong together.</summary>
    private async Task AssertTogetherAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var knowsPhotos = await db.Uploads.AnyAsync(cancellationToken);
        var holdsPhotos = await blobs.EnumerateAsync(cancellationToken).AnyAsync(cancellationToken);
        if (knowsPhotos && !holdsPhotos)
        {
            throw new InvalidOperationException(
                $"The store of images, {blobs.Root}, is empty, but there are photos in the database. Is its file system mounted? {HowToClaim}");
        }

        if (holdsPhotos && !knowsPhotos)
        {
            throw new InvalidOperationException(
                $"The store of images, {blobs.Root}, holds photos, but the database knows none. Is it the right database? {HowToClaim}");
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

    private static async Task<string?> ReadMarkAsync(IBlobs place, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = await place.OpenReadAsync(Key, 0, cancellationToken);
            using var reader = new StreamReader(file);
            return await reader.ReadToEndAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static Task WriteMarkAsync(IBlobs place, string mark, bool overwrite, CancellationToken cancellationToken) =>
        place.WriteAsync(Key, Encoding.UTF8.GetBytes(mark), overwrite, cancellationToken);
}
