using Apertur.Server.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>Which failures of disk and database are worth trying again, and which are mistakes of ours.</summary>
public sealed class StorageFaultTests
{
    [Theory]
    [InlineData(13, nameof(StorageFaultKind.NoRoom))] // FULL
    [InlineData(8, nameof(StorageFaultKind.Unavailable))] // READONLY
    [InlineData(8 | (5 << 8), nameof(StorageFaultKind.Unavailable))] // READONLY_CANTINIT
    [InlineData(10, nameof(StorageFaultKind.Unavailable))] // IOERR
    [InlineData(10 | (4 << 8), nameof(StorageFaultKind.Unavailable))] // IOERR_FSYNC
    [InlineData(14, nameof(StorageFaultKind.Unavailable))] // CANTOPEN
    [InlineData(5, nameof(StorageFaultKind.Unavailable))] // BUSY
    [InlineData(11, nameof(StorageFaultKind.Unavailable))] // CORRUPT
    [InlineData(3, nameof(StorageFaultKind.Unavailable))] // PERM
    [InlineData(6, nameof(StorageFaultKind.Unavailable))] // LOCKED
    [InlineData(7, nameof(StorageFaultKind.Unavailable))] // NOMEM
    [InlineData(9, nameof(StorageFaultKind.Unavailable))] // INTERRUPT
    [InlineData(15, nameof(StorageFaultKind.Unavailable))] // PROTOCOL
    [InlineData(26, nameof(StorageFaultKind.Unavailable))] // NOTADB
    [InlineData(19, nameof(StorageFaultKind.None))] // CONSTRAINT
    [InlineData(1, nameof(StorageFaultKind.None))] // ERROR, such as a mistake in SQL
    public void Codes_of_SQLite_are_told_apart(int code, string kind) =>
        Assert.Equal(kind, StorageFault.Of(new DbUpdateException("…", new SqliteException("…", code))).ToString());

    [Theory]
    [InlineData("53100", nameof(StorageFaultKind.NoRoom))] // disk_full
    [InlineData("53300", nameof(StorageFaultKind.Unavailable))] // too_many_connections
    [InlineData("58030", nameof(StorageFaultKind.Unavailable))] // io_error
    [InlineData("57P03", nameof(StorageFaultKind.Unavailable))] // cannot_connect_now
    [InlineData("57014", nameof(StorageFaultKind.Unavailable))] // query_canceled, by statement_timeout
    [InlineData("55P03", nameof(StorageFaultKind.Unavailable))] // lock_not_available
    [InlineData("25006", nameof(StorageFaultKind.Unavailable))] // read_only_sql_transaction
    [InlineData("XX001", nameof(StorageFaultKind.Unavailable))] // data_corrupted
    [InlineData("XX002", nameof(StorageFaultKind.Unavailable))] // index_corrupted
    [InlineData("08P01", nameof(StorageFaultKind.Unavailable))] // protocol_violation
    [InlineData("25P03", nameof(StorageFaultKind.Unavailable))] // idle_in_transaction_session_timeout
    [InlineData("57P04", nameof(StorageFaultKind.Unavailable))] // database_dropped
    [InlineData("58P01", nameof(StorageFaultKind.Unavailable))] // undefined_file
    [InlineData("40001", nameof(StorageFaultKind.Unavailable))] // serialization_failure
    [InlineData("23505", nameof(StorageFaultKind.None))] // unique_violation
    [InlineData("42601", nameof(StorageFaultKind.None))] // syntax_error
    public void States_of_PostgreSQL_are_told_apart(string state, string kind) =>
        Assert.Equal(kind, StorageFault.Of(new DbUpdateException("…", new PostgresException("…", "ERROR", "ERROR", state))).ToString());

    [Theory]
    [InlineData(5, nameof(StorageFaultKind.Unavailable))] // EIO
    [InlineData(23, nameof(StorageFaultKind.Unavailable))] // ENFILE
    [InlineData(24, nameof(StorageFaultKind.Unavailable))] // EMFILE
    [InlineData(30, nameof(StorageFaultKind.Unavailable))] // EROFS
    [InlineData(116, nameof(StorageFaultKind.Unavailable))] // ESTALE
    [InlineData(28, nameof(StorageFaultKind.NoRoom))] // ENOSPC
    [InlineData(122, nameof(StorageFaultKind.NoRoom))] // EDQUOT
    [InlineData(17, nameof(StorageFaultKind.None))] // EEXIST
    public void Errors_of_the_system_are_told_apart(int errno, string kind) =>
        Assert.Equal(kind, StorageFault.Of(new IOException("…", errno)).ToString());

    [Fact]
    public void Damage_is_told_from_other_failures()
    {
        foreach (var (code, state, isDamage) in new[] { (11, "XX001", true), (26, "XX002", true), (10, "58030", false) })
        {
            Assert.Equal((code, isDamage), (code, StorageFault.IsDamage(new DbUpdateException("…", new SqliteException("…", code)))));
            Assert.Equal((state, isDamage), (state, StorageFault.IsDamage(new PostgresException("…", "ERROR", "ERROR", state))));
        }
    }

    [Fact]
    public void Other_failures_are_mistakes_of_ours()
    {
        Assert.Equal(StorageFaultKind.None, StorageFault.Of(new FileNotFoundException()));
        Assert.Equal(StorageFaultKind.None, StorageFault.Of(new IOException("The connection was reset.")));
        Assert.Equal(StorageFaultKind.None, StorageFault.Of(new InvalidOperationException()));
        Assert.Equal(StorageFaultKind.Unavailable, StorageFault.Of(new UnauthorizedAccessException()));
        Assert.Equal(StorageFaultKind.Unavailable, StorageFault.Of(new TransactionLostException()));
        Assert.Equal(StorageFaultKind.NoRoom, StorageFault.Of(new DiskFullException("…")));
    }
}
