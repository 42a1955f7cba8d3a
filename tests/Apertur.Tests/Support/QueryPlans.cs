using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>How SQLite goes about what one server asks it.</summary>
internal sealed class QueryPlans : DbCommandInterceptor
{
    private readonly ConcurrentQueue<string> _steps = new();

    public IReadOnlyCollection<string> Steps => _steps;

    public void Into(IServiceCollection services) =>
        services.ConfigureDbContext<AperturDb>(options => options.AddInterceptors(this));

    [SuppressMessage("Security", "CA2100", Justification = "The server's own query.")]
    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        if (!command.CommandText.StartsWith("SELECT", StringComparison.Ordinal) && !command.CommandText.StartsWith("WITH", StringComparison.Ordinal))
            return result;
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
        return result;
    }
}
