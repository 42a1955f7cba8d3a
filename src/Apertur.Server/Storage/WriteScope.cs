using System.Data;
using System.Globalization;
using Apertur.Server.Destinations;
using Apertur.Server.Events;
using Apertur.Server.ProjectData;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>
/// What one transaction of <see cref="Database.WriteAsync{T}"/> collects: counts to be written with its commit, and who is to be
/// told after it. The latter follows from the rows, so that no commit can forget it.
/// </summary>
internal sealed class WriteScope
{
    /// <summary>Sessions that whoever follows them must look at again.</summary>
    public HashSet<Guid> ChangedSessions { get; } = [];

    /// <summary>Whether the transaction has begun.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether the pump may find something to do.</summary>
    public bool IsSomethingDue { get; private set; }

    /// <summary>What has to be done when the transaction has ended, told whether it was committed for certain.</summary>
    public List<Action<bool>> AtEnd { get; } = [];

    /// <summary>Changes to the counts of days and minutes; written last.</summary>
    public CountChanges Counts { get; } = new();

    public async Task<IDbContextTransaction> BeginAsync(AperturDb db, CancellationToken cancellationToken)
    {
        var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        HasBegun = true;
        return transaction;
    }

    /// <summary>
    /// Writes the counts and commits. With PostgreSQL both go there in one message: every photo of a project writes the row of its day, so a
    /// node that stopped while it held that row would stop the others. This way it is held only while PostgreSQL itself works.
    /// </summary>
    /// <exception cref="TransactionLostException">The connection had ended before; nothing was committed.</exception>
    public async Task CommitAsync(AperturDb db, IDbContextTransaction transaction)
    {
        if (db.Database.GetDbConnection().State != ConnectionState.Open)
            throw new TransactionLostException();

        // Not cancellable: what became of a commit is not known before its answer is there.
        var statements = Counts.Statements().ToList();
        if (statements.Count > 0 && db.Database.GetDbConnection() is NpgsqlConnection connection)
        {
            await using var batch = new NpgsqlBatch(connection);
            foreach (var statement in statements)
                batch.BatchCommands.Add(Command(statement));
            batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
            await batch.ExecuteNonQueryAsync();
            return;
        }

        foreach (var statement in statements)
            await db.Database.ExecuteSqlAsync(statement);
        await transaction.CommitAsync();
    }

    /// <summary>Notes the entities that are about to be saved.</summary>
    public void Note(ChangeTracker tracker)
    {
        foreach (var entry in tracker.Entries())
        {
            switch (entry.Entity)
            {
                case UploadSession session when IsModified(entry, nameof(session.LastChanged)):
                    ChangedSessions.Add(session.Id);
                    break;

                case Visitor visitor when entry.State == EntityState.Added || IsModified(entry, nameof(visitor.Pages)):
                    ChangedSessions.Add(visitor.SessionId);
                    break;

                case IQueueRow row when entry.State is EntityState.Added or EntityState.Modified:
                    NoteQueued(row);
                    break;

                // One that is resumed has what waits for it made due in bulk.
                case Destination when IsModified(entry, nameof(Destination.IsActive)):
                case EventWebhook when IsModified(entry, nameof(EventWebhook.IsActive)):
                    IsSomethingDue = true;
                    break;
            }
        }
    }

    /// <summary>Notes a row of a queue that is written; one that is due now has been written now.</summary>
    public void NoteQueued(IQueueRow row) =>
        IsSomethingDue |= row.State is DeliveryState.Pending or DeliveryState.Retrying && row.DueAt <= row.UpdatedAt;

    /// <summary>Notes a bulk statement, which writes rows that were not read.</summary>
    public void NoteBulk(string sql)
    {
        // What is made due in bulk is made due at once: UPDATE … SET due_at = … WHERE ….
        if (sql.StartsWith("UPDATE", StringComparison.OrdinalIgnoreCase))
            IsSomethingDue |= sql.AsSpan(0, sql.IndexOf("WHERE", StringComparison.Ordinal) is > 0 and var end ? end : sql.Length)
                .Contains("due_at", StringComparison.Ordinal);
    }

    private static bool IsModified(EntityEntry entry, string property) => entry.Property(property).IsModified;

    private static NpgsqlBatchCommand Command(FormattableString statement)
    {
        var values = statement.GetArguments();
        var names = Enumerable.Range(1, values.Length).Select(n => (object)$"${n}").ToArray();
        var command = new NpgsqlBatchCommand(string.Format(CultureInfo.InvariantCulture, statement.Format, names));
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        return command;
    }
}
