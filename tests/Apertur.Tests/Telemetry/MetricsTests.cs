using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Telemetry;
using Apertur.Tests.Events;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Telemetry;

/// <summary>What Prometheus finds.</summary>
public sealed partial class MetricsTests
{
    [Theory, AllDatabases]
    public async Task Metrics_tell_what_came_in_and_what_became_of_it(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var events = await app.ListenAsync(receiver, "project.upload.started");
        var upload = await app.Client.UploadAsync(session, Photos.Jpeg());
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        await app.NewestBecomesAsync(events, "sent");
        await Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());
        (await app.ClientOf(null).GetAsync("no/such/route")).Expect(HttpStatusCode.NotFound);

        // An attempt is measured when its outcome can be seen already.
        var metrics = await Eventually.Becomes(
            () => ReadAsync(app),
            now => now.ContainsKey("apertur_storage_free_bytes")
                && now.ContainsKey("""apertur_delivery_latency_seconds_count{type="webhook"}"""),
            "the delivery was measured, and the state looked up");

        Assert.True(metrics["apertur_uploads_total"] >= 1);
        Assert.True(metrics["apertur_upload_size_bytes_total"] >= Photos.Jpeg().Length);
        Assert.True(metrics["""apertur_delivery_attempt_duration_seconds_count{outcome="Accepted",type="webhook"}"""] >= 1);
        Assert.True(metrics["""apertur_delivery_latency_seconds_count{type="webhook"}"""] >= 1);
        Assert.True(metrics["""apertur_event_attempt_duration_seconds_count{outcome="Accepted"}"""] >= 1);
        Assert.True(metrics["""apertur_refusals_total{code="NOT_FOUND"}"""] >= 1);
        Assert.True(metrics["apertur_commit_group_size_count"] >= 1);
        Assert.True(metrics["apertur_storage_sync_duration_seconds_count"] >= 1);
        Assert.True(metrics["apertur_storage_free_bytes"] > 0);
        // Not the connection string.
        if (database == DatabaseKind.PostgreSql)
            Assert.Contains(metrics.Keys, name => name.Contains("db_client_connection_pool_name=\"apertur\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Attempts_that_failed_are_told_apart_and_what_did_not_arrive_has_no_latency()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(500);
        await using var app = await StartAsync(DatabaseKind.Sqlite, services => services.AddSingleton<IDestinationType>(new Refusing()));
        var events = await app.ListenAsync(receiver, "project.upload.started");
        var session = await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("refusing", []));
        var upload = await app.Client.UploadAsync(session, Photos.Jpeg());
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "failed");
        await app.NewestBecomesAsync(events, "retrying");
        await Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());

        var metrics = await ReadAsync(app);

        Assert.Equal(1, metrics["""apertur_delivery_attempt_duration_seconds_count{outcome="GiveUp",type="refusing"}"""]);
        Assert.DoesNotContain("""apertur_delivery_latency_seconds_count{type="refusing"}""", metrics.Keys);
        Assert.True(metrics["""apertur_event_attempt_duration_seconds_count{outcome="TryAgain"}"""] >= 1);
    }

    [Theory, AllDatabases]
    public async Task Queue_shows_its_depth_and_how_long_the_oldest_has_been_due(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "https://example.com/" });
        var session = await app.Client.CreateSessionAsync(webhook);
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{webhook}", new JsonObject { ["isActive"] = false })).Expect(HttpStatusCode.OK);
        await app.Client.UploadAsync(session, Photos.Png());
        await app.Client.UploadAsync(session, Photos.Png());
        // The depths were looked up, and will be again when the time is over; a node of PostgreSQL gives signs of life as often.
        await Eventually.True(
            () => app.Clock.TimersDueIn(TimeSpan.FromSeconds(15)) == (database == DatabaseKind.PostgreSql ? 2 : 1));
        app.Clock.Advance(TimeSpan.FromMinutes(10));

        var metrics = await Eventually.Becomes(
            () => ReadAsync(app), now => now.GetValueOrDefault("""apertur_queue_depth{queue="deliveries"}""") == 2, "both wait");

        Assert.InRange(metrics["""apertur_queue_oldest_age_seconds{queue="deliveries"}"""], 600, 660);
        Assert.Equal(0, metrics["""apertur_queue_depth{queue="events"}"""]);
        Assert.Equal(0, metrics["apertur_destinations_open"]);
        Assert.Equal(0, metrics["apertur_destinations_parked"]);
    }

    /// <summary>They have an address of their own, and nothing else is there.</summary>
    [Fact]
    public async Task Metrics_are_not_where_phones_and_programs_come()
    {
        await using var app = await StartAsync(DatabaseKind.Sqlite);

        (await app.ClientOf(null).GetAsync("/metrics")).Expect(HttpStatusCode.NotFound);

        (await GetAsync(app, "/api/v1/stats")).Expect(HttpStatusCode.NotFound);
        (await GetAsync(app, "/metrics")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Server_starts_where_somebody_else_has_the_port_of_the_metrics()
    {
        await using var first = await StartAsync(DatabaseKind.Sqlite);

        await using var second = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Telemetry:MetricsUrl"] = Listener(first).Url! });

        (await second.Client.GetAsync("stats")).Expect(HttpStatusCode.OK);
        Assert.Contains(second.Log.Lines, line => line.Contains("metrics.unavailable", StringComparison.Ordinal));
    }

    /// <summary>What dashboard, alerts and docs name is what the server tells.</summary>
    [Fact]
    public async Task Every_metric_that_is_named_exists()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(DatabaseKind.Sqlite);
        await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new JsonObject { ["url"] = receiver.Url, ["topics"] = new JsonArray("*") });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Jpeg());
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        (await app.ClientOf(null).GetAsync("/socket.io/?EIO=4&transport=polling")).Expect(HttpStatusCode.OK);
        (await app.ClientOf(null).GetAsync("no/such/route")).Expect(HttpStatusCode.NotFound);
        var metrics = await Eventually.Becomes(
            () => ReadAsync(app),
            now => now.Keys.Any(name => name.StartsWith("apertur_event", StringComparison.Ordinal)) && now.ContainsKey("apertur_storage_free_bytes"),
            "an event was told, and the state looked up");
        var there = metrics.Keys.Select(name => name.Split('{')[0]).SelectMany(
            name => new[] { name, name.EndsWith("_count", StringComparison.Ordinal) ? name[..^"_count".Length] : name }).ToHashSet();

        foreach (var file in new[] { "deploy/grafana/apertur.json", "deploy/prometheus/alerts.yml", "docs/operations.md" })
        {
            var named = Metric().Matches(RepositoryFiles.Read(file)).Select(match => match.Value).Distinct().ToList();
            Assert.True(named.Count > 0, file);
            Assert.All(named, name => Assert.Contains(name, there));
        }
    }

    /// <summary>Prometheus's own tool reads them, and finds nothing to say of ours.</summary>
    [Theory, AllDatabases]
    public async Task Metrics_and_alert_rules_are_valid(DatabaseKind database)
    {
        var promtool = Components.Program("promtool");
        await using var app = await StartAsync(database);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg());
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.File("metrics"), (await GetAsync(app, "/metrics")).Text, TestContext.Current.CancellationToken);

        // 3: it can be read, but some names are not as they should be, and those are .NET's and Npgsql's.
        var said = await Shell.RunAsync($"{promtool} check metrics <{folder.File("metrics")} 2>&1 || [ $? = 3 ]");
        Assert.All(said.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches("^(dotnet|db_client)_", line));
        await Shell.RunAsync($"{promtool} check rules '{Path.Combine(RepositoryFiles.Root, "deploy/prometheus/alerts.yml")}'");
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database, Action<IServiceCollection>? configure = null) =>
        AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Telemetry:MetricsUrl"] = "http://127.0.0.1:0" }, configure);

    private static MetricsListener Listener(AperturApp app) => app.Services.GetServices<IHostedService>().OfType<MetricsListener>().Single();

    private static async Task<Answer> GetAsync(AperturApp app, string path)
    {
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        return await new AperturClient(http, Listener(app).Url!, default, null).GetAsync(path);
    }

    /// <summary>Every sample by its name and labels, without those that OpenTelemetry adds to all of a meter.</summary>
    private static async Task<Dictionary<string, double>> ReadAsync(AperturApp app)
    {
        var text = (await GetAsync(app, "/metrics")).Expect(HttpStatusCode.OK).Text;
        var samples = new Dictionary<string, double>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#'))
        {
            var match = Sample().Match(line);
            Assert.True(match.Success, line);
            var labels = match.Groups["label"].Captures.Select(label => label.Value)
                .Where(label => !label.StartsWith("otel_scope", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
            samples[match.Groups["name"].Value + (labels.Count > 0 ? "{" + string.Join(',', labels) + "}" : "")] =
                match.Groups["value"].Value is "+Inf" or "NaN" ? double.NaN
                : double.Parse(match.Groups["value"].Value, System.Globalization.CultureInfo.InvariantCulture);
        }

        return samples;
    }

    private sealed class Refusing : IDestinationType
    {
        public string Type => "refusing";

        public string Label => "Refusing";

        public IReadOnlyList<ConfigField> Fields => [];

        public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
            Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.GiveUp("Not this one."));

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?<label>[a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\\n])*"),?)*\})? (?<value>\S+)( \d+)?$""")]
    private static partial Regex Sample();

    [GeneratedRegex("apertur_[a-z_]+")]
    private static partial Regex Metric();
}
