using System.Data.Common;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>Counts what one server asks of its database.</summary>
internal sealed class QueryCount : DbCommandInterceptor
{
    private int _queries;

    public int Queries => Volatile.Read(ref _queries);

    public void Into(IServiceCollection services)
    {
        services.ConfigureDbContext<AperturDb>(options => options.AddInterceptors(this));
        // Who is woken looks at the rows.
        services.WithoutNotifications();
    }

    public override DbCommand CommandCreated(CommandEndEventData eventData, DbCommand result)
    {
        Interlocked.Increment(ref _queries);
        return result;
    }
}
