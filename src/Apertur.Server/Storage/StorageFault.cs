using System.Data.Common;
using Apertur.Server.Blobs;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>What a failure of the disk, the object store or the database means for whoever waits for an answer.</summary>
internal enum StorageFaultKind
{
    /// <summary>It was something else.</summary>
    None,

    /// <summary>Worth trying again: the disk or the database cannot be used now, or not from here.</summary>
    Unavailable,

    /// <summary>The disk, or the user's share of it, is used up.</summary>
    NoRoom,
}

/// <summary>Tells failures of storage from mistakes of ours: what an operator can put right is never a crash.</summary>
internal static class StorageFault
{
    public static StorageFaultKind Of(Exception exception) => Database.FailureIn(exception) is { } failure
        ? OfDatabase(failure)
        : OfFile(exception);

    /// <summary>Whether the database says that what it reads cannot be right.</summary>
    public static bool IsDamage(Exception exception) => Database.FailureIn(exception) switch
    {
        // SQLITE_CORRUPT, SQLITE_NOTADB.
        SqliteException { SqliteErrorCode: 11 or 26 } => true,
        PostgresException { SqlState: PostgresErrorCodes.DataCorrupted or PostgresErrorCodes.IndexCorrupted } => true,
        _ => false,
    };

    /// <summary>
    /// Whether the database cannot write anything now, whoever's it is: it starts, recovers or stops, has no room or no connection left, or is only
    /// read. What may be the fault of one row, such as a page that cannot be read, is not among that.
    /// </summary>
    public static bool IsOfAll(Exception exception) => Database.FailureIn(exception) switch
    {
        // SQLITE_BUSY, SQLITE_READONLY, SQLITE_FULL, SQLITE_CANTOPEN.
        SqliteException sqlite => (sqlite.SqliteErrorCode & 0xFF) is 5 or 8 or 13 or 14,
        PostgresException { SqlState: ['5', '7', 'P', ..] or "53100" or "53300" or "25006" } => true,
        _ => false,
    };

    // The primary codes of sqlite.org/rescode.html; extended ones have them in their low byte.
    private static StorageFaultKind OfDatabase(DbException exception) => exception switch
    {
        SqliteException sqlite => (sqlite.SqliteErrorCode & 0xFF) switch
        {
            // SQLITE_FULL
            13 => StorageFaultKind.NoRoom,
            // PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, CANTOPEN, PROTOCOL, NOTADB
            3 or 5 or 6 or 7 or 8 or 9 or 10 or 11 or 14 or 15 or 26 => StorageFaultKind.Unavailable,
            _ => StorageFaultKind.None,
        },
        // disk_full
        { SqlState: "53100" } => StorageFaultKind.NoRoom,
        // Classes 08 connection, 53 resources, 58 system errors such as io_error; 57P shutting down or starting, 57014 a statement's
        // time-out; 55P03 a lock's; 25P03 a transaction ended because this node had stopped; 25006 a standby that only reads; XX001 and XX002 damage.
        { SqlState: ['0', '8', ..] or ['5', '3', ..] or ['5', '8', ..] or ['5', '7', 'P', ..] or "57014" or "55P03" or "25P03" or "25006" or "XX001" or "XX002" }
            or { IsTransient: true } => StorageFaultKind.Unavailable,
        _ => StorageFaultKind.None,
    };

    private static StorageFaultKind OfFile(Exception exception) => exception switch
    {
        DiskFullException => StorageFaultKind.NoRoom,
        ObjectStoreException store => store.Kind,
        UnauthorizedAccessException => StorageFaultKind.Unavailable,
        IOException failure when DurableFile.IsDiskFull(failure) => StorageFaultKind.NoRoom,
        IOException failure when DurableFile.IsDiskFault(failure) => StorageFaultKind.Unavailable,
        _ => StorageFaultKind.None,
    };
}
