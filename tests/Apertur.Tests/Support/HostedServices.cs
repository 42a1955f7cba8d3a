using Apertur.Server.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Support;

internal static class HostedServices
{
    /// <summary>
    /// Leaves a worker's own loop out, for a test that runs its rounds itself. Stopping it would not do: one that is stopped before its first
    /// round has begun takes the server with it.
    /// </summary>
    public static void WithoutLoopOf<T>(this IServiceCollection services)
        where T : class, IHostedService =>
        services.Remove(services.Single(service =>
            service.ServiceType == typeof(IHostedService) && service.ImplementationFactory is Func<IServiceProvider, T>));

    /// <summary>
    /// Leaves out that a node of PostgreSQL listens to the others: as soon as it does it wakes everybody once, and no test knows
    /// when that is.
    /// </summary>
    public static void WithoutNotifications(this IServiceCollection services)
    {
        var listening = services.Where(service =>
            service.ServiceType == typeof(IHostedService) && service.ImplementationType == typeof(PostgresNotifications)).ToList();
        foreach (var service in listening)
            services.Remove(service);
    }
}
