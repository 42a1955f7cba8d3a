using System.Collections;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Apertur.Server.Telemetry;

/// <summary>Logs in the form that was asked for, metrics for Prometheus, and both metrics and traces for OTLP where its environment says so.</summary>
internal static class TelemetrySetup
{
    // OpenTelemetry's own name for where to send to, the same in every language.
    private const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    public static void AddLogs(ILoggingBuilder logging, TelemetrySettings settings)
    {
        const string Timestamp = "yyyy-MM-ddTHH:mm:ss.fffZ";
        if (settings.LogFormat == LogFormat.Json)
            logging.AddJsonConsole(console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, Timestamp));
        else
            logging.AddSimpleConsole(console => (console.SingleLine, console.UseUtcTimestamp, console.TimestampFormat) = (true, true, Timestamp + " "));
    }

    public static void Add(IServiceCollection services, IConfigurationBuilder configuration, TelemetrySettings settings)
    {
        // Nothing else of the environment is read by this program, but OpenTelemetry is set up by names that operators know.
        configuration.AddInMemoryCollection(Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(variable => ((string)variable.Key).StartsWith("OTEL_", StringComparison.Ordinal))
            .Select(variable => new KeyValuePair<string, string?>((string)variable.Key, (string?)variable.Value)));
        var exports = Environment.GetEnvironmentVariable(OtlpEndpoint) is { Length: > 0 };
        if (settings.MetricsUrl.Length == 0 && !exports)
            return;

        services.AddHostedService<StateGauges>();
        var telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService(
            "apertur", serviceVersion: typeof(TelemetrySetup).Assembly.GetName().Version?.ToString(), serviceInstanceId: Queue.Node.Name));
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter(Instruments.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime", "Npgsql");
            if (settings.MetricsUrl.Length > 0)
                metrics.AddPrometheusExporter();
            if (exports)
                metrics.AddOtlpExporter();
        });
        if (settings.MetricsUrl.Length > 0)
            services.AddHostedService<MetricsListener>();
        if (exports)
        {
            telemetry.WithTracing(traces => traces
                .AddSource(Instruments.Name, "Npgsql")
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddProcessor(new SecretsFilter())
                .AddOtlpExporter());
        }
    }
}
