namespace Apertur.Server.Http;

/// <summary>
/// The graceful shutdown of requests: those under way may finish until a deadline, those that come after are turned
/// away, so that clients and balancers go elsewhere at once.
/// </summary>
internal sealed class StopDeadline : IDisposable
{
    /// <summary>After the deadline, for answers to get through.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _passed = new();
    private readonly CancellationTokenRegistration _stopping;
    private readonly IHostApplicationLifetime _lifetime;
    private ITimer? _timer;

    public StopDeadline(IHostApplicationLifetime lifetime, Settings settings, TimeProvider clock)
    {
        _lifetime = lifetime;
        _stopping = lifetime.ApplicationStopping.Register(() => _timer = clock.CreateTimer(
            _ => _passed.Cancel(), null, TimeSpan.FromSeconds(settings.Delivery.StopSeconds), Timeout.InfiniteTimeSpan));
    }

    public bool IsStopping => _lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Cancelled when what is still under way has to end.</summary>
    public CancellationToken Passed => _passed.Token;

    /// <exception cref="ApiErrorException">503: the server is stopping.</exception>
    public Task RefuseAsync(HttpContext context, RequestDelegate next) =>
        IsStopping ? throw ApiErrors.Stopping.ToException() : next(context);

    public void Dispose()
    {
        _stopping.Dispose();
        // Its source stays: a timer that fires at this moment would end the process.
        _timer?.Dispose();
    }
}
