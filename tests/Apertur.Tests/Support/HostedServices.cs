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
        where T : class, IHostedService => services.Remove(services.Single(IsLoopOf<T>));

    /// <summary>Leaves out all of them, where nothing but the test may ask anything.</summary>
    public static void WithoutLoops(this IServiceCollection services)
    {
        foreach (var loop in services.Where(IsLoop).ToList())
            services.Remove(loop);
    }

    /// <summary>
    /// Leaves out that a node listens to the others, where it does: as soon as it begins it wakes everybody once, and no test knows when that is.
    /// </summary>
    public static void WithoutNotifications(this IServiceCollection services)
    {
        if (services.Any(IsLoopOf<PostgresNotifications>))
            services.WithoutLoopOf<PostgresNotifications>();
    }

    private static bool IsLoop(ServiceDescriptor service) =>
        service.ServiceType == typeof(IHostedService)
        && (service.ImplementationType ?? service.ImplementationFactory?.GetType().GenericTypeArguments[1])
            ?.IsAssignableTo(typeof(BackgroundService)) is true;

    private static bool IsLoopOf<T>(ServiceDescriptor service)
        where T : class, IHostedService =>
        service.ServiceType == typeof(IHostedService)
        && (service.ImplementationType == typeof(T) || service.ImplementationFactory is Func<IServiceProvider, T>);
}
