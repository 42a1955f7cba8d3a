using OpenTelemetry.Metrics;

namespace Apertur.Server.Telemetry;

/// <summary>Serves <c>GET /metrics</c> at an address of its own, so that a proxy in front of the server cannot show it to the world by mistake.</summary>
internal sealed partial class MetricsListener(Settings settings, MeterProvider meters, ILogger<MetricsListener> log) : IHostedService
{
    private WebApplication? _app;

    /// <summary>Where it listens; null when it could not.</summary>
    public string? Url => _app?.Urls.First();

    /// <summary>A port that somebody else has is no reason to take in no photos.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(settings.Telemetry.MetricsUrl).ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        var app = builder.Build();
        app.UseOpenTelemetryPrometheusScrapingEndpoint(meters, predicate: null, path: "/metrics", configureBranchedPipeline: null, optionsName: null);
        try
        {
            await app.StartAsync(cancellationToken);
            _app = app;
        }
        catch (IOException failure)
        {
            await app.DisposeAsync();
            LogUnavailable(settings.Telemetry.MetricsUrl, failure.Message);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    [LoggerMessage(EventName = "metrics.unavailable", Level = LogLevel.Warning,
        Message = "metrics.unavailable There are no metrics at {Url} (Telemetry:MetricsUrl): {Reason}")]
    private partial void LogUnavailable(string url, string reason);
}
