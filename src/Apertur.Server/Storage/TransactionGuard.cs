using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Apertur.Server.Storage;

/// <summary>
/// An interceptor that keeps a transaction on the connection it began on. EF Core opens a connection that has broken again by itself, and what
/// follows would be written outside of the transaction whose beginning is gone.
/// </summary>
internal sealed class TransactionGuard : DbConnectionInterceptor
{
    public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result) =>
        Check(eventData, result);

    public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        new(Check(eventData, result));

    private static InterceptionResult Check(ConnectionEventData eventData, InterceptionResult result) =>
        eventData.Context is AperturDb { IsInTransaction: true } ? throw new TransactionLostException() : result;
}

/// <summary>The connection of a transaction ended before its commit was sent: nothing of it is there, and it can be run again.</summary>
internal sealed class TransactionLostException() : DbException("The connection to the database was lost in the middle of a transaction.")
{
    public override bool IsTransient => true;
}
