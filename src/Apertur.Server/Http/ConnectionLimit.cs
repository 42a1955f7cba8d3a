using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Apertur.Server.Http;

/// <summary>
/// Closes connections beyond a number as it accepts them. Kestrel's own limit closes them a little later, when each has got a thread: on a machine that is
/// busy a crowd that comes at once is accepted whole until then, and takes descriptors without which the runtime ends the process.
/// </summary>
/// <param name="sockets">Accepts them.</param>
/// <param name="most">How many may be open, over all addresses.</param>
internal sealed class ConnectionLimit(IConnectionListenerFactory sockets, long most) : IConnectionListenerFactory
{
    private long _open;

    /// <summary>Puts it in front of what accepts connections so far.</summary>
    /// <param name="services">With Kestrel's.</param>
    /// <param name="most">How many may be open; null for any number.</param>
    public static void Add(IServiceCollection services, long? most)
    {
        if (most is not { } limit)
            return;
        var sockets = services.Last(service => service.ServiceType == typeof(IConnectionListenerFactory)).ImplementationType!;
        services.AddSingleton<IConnectionListenerFactory>(
            provider => new ConnectionLimit((IConnectionListenerFactory)ActivatorUtilities.CreateInstance(provider, sockets), limit));
    }

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
        new Listener(this, await sockets.BindAsync(endpoint, cancellationToken));

    private bool TryEnter()
    {
        if (Interlocked.Increment(ref _open) <= most)
            return true;
        Leave();
        return false;
    }

    private void Leave() => Interlocked.Decrement(ref _open);

    private sealed class Listener(ConnectionLimit limit, IConnectionListener inner) : IConnectionListener
    {
        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken)
        {
            while (await inner.AcceptAsync(cancellationToken) is { } connection)
            {
                if (limit.TryEnter())
                {
                    connection.ConnectionClosed.UnsafeRegister(static limit => ((ConnectionLimit)limit!).Leave(), limit);
                    return connection;
                }

                await connection.DisposeAsync();
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken) => inner.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
