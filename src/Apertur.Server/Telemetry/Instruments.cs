using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Apertur.Server.Telemetry;

/// <summary>
/// What this program counts, times and traces, as a meter and an activity source of the name <see cref="Name"/>; docs/operations.md says what
/// each is for. No label takes a value that callers choose.
/// </summary>
internal static class Instruments
{
    public const string Name = "Apertur";

    public static readonly ActivitySource Activities = new(Name);

    // From a webhook on the same machine to the last retry a week later.
    private static readonly double[] _latencies =
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 604800];

    private static readonly double[] _durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];

    private static readonly Meter _meter = new(Name);

    public static readonly Counter<long> Uploads =
        _meter.CreateCounter<long>("apertur.uploads", "{photo}", "Photos taken in.");

    public static readonly Counter<long> UploadBytes =
        _meter.CreateCounter<long>("apertur.upload.size", "By", "Bytes of the photos taken in.");

    public static readonly Counter<long> Refusals =
        _meter.CreateCounter<long>("apertur.refusals", "{request}", "Requests answered with an error, by its code.");

    public static readonly Histogram<double> DeliveryAttempts = Seconds(
        "apertur.delivery.attempt.duration", "Attempts at deliveries, by type of destination and outcome.", _durations);

    public static readonly Histogram<double> DeliveryLatency = Seconds(
        "apertur.delivery.latency", "From a photo's 201 to its arrival at a destination.", _latencies);

    public static readonly Histogram<double> EventAttempts = Seconds(
        "apertur.event.attempt.duration", "Attempts at deliveries to event webhooks, by outcome.", _durations);

    public static readonly Histogram<int> GroupCommits = _meter.CreateHistogram(
        "apertur.commit.group.size", "{item}", "Items that shared one commit.", advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64] });

    public static readonly Histogram<double> Syncs = Seconds("apertur.storage.sync.duration", "Syncs of files and folders to the disk.", _durations);

    public static readonly UpDownCounter<long> HeldRequests =
        _meter.CreateUpDownCounter<long>("apertur.requests.held", "{request}", "Requests and sockets that wait for news, by kind.");

    /// <summary>One attempt at a delivery, as part of the trace of the request that the photo came with.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="traceParent">The W3C <c>traceparent</c> kept with the row; null starts no trace.</param>
    public static Activity? Continue(string name, string? traceParent) =>
        traceParent is null ? null : Activities.StartActivity(name, ActivityKind.Consumer, traceParent);

    /// <summary>What to keep for <see cref="Continue"/>; null when nobody records the trace.</summary>
    public static string? TraceParent => Activity.Current is { Recorded: true } current ? current.Id : null;

    /// <summary>Counts a request or socket until the result is disposed.</summary>
    public static IDisposable Hold(string kind) => new Held(new("kind", kind));

    private static Histogram<double> Seconds(string name, string description, double[] bounds) =>
        _meter.CreateHistogram(name, "s", description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });

    private sealed class Held : IDisposable
    {
        private readonly KeyValuePair<string, object?> _kind;

        public Held(KeyValuePair<string, object?> kind)
        {
            _kind = kind;
            HeldRequests.Add(1, _kind);
        }

        public void Dispose() => HeldRequests.Add(-1, _kind);
    }
}
