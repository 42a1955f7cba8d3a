using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>What one server asks SQLite, and how that goes about it.</summary>
internal sealed class QueryPlans : DbCommandInterceptor
{
    private readonly ConcurrentQueue<string> _steps = new();
    private readonly ConcurrentQueue<string> _statements = new();

    public IReadOnlyCollection<string> Steps => _steps;

    public IReadOnlyCollection<string> Statements => _statements;

    public void Clear()
    {
        _steps.Clear();
        _statements.Clear();
    }

    public void Into(IServiceCollection services) =>
        services.ConfigureDbContext<AperturDb>(options => options.AddInterceptors(this));

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        await ExplainAsync(command, cancellationToken);
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        await ExplainAsync(command, cancellationToken);
        return result;
    }

    [SuppressMessage("Security", "CA2100", Justification = "The server's own query.")]
    private async Task ExplainAsync(DbCommand command, CancellationToken cancellationToken)
    {
        if (command.CommandText.Split((char[]?)null, 2)[0] is not ("SELECT" or "WITH" or "UPDATE" or "DELETE"))
            return;
        _statements.Enqueue(command.CommandText);
        await using var explain = command.Connection!.CreateCommand();
        (explain.CommandText, explain.Transaction) = ("EXPLAIN QUERY PLAN " + command.CommandText, command.Transaction);
        foreach (DbParameter given in command.Parameters)
        {
            var copy = explain.CreateParameter();
            (copy.ParameterName, copy.Value) = (given.ParameterName, given.Value);
            explain.Parameters.Add(copy);
        }

        await using var reader = await explain.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            _steps.Enqueue(reader.GetString(3));
    }
}
