using System.Collections.Concurrent;
using Apertur.Server.Sessions;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>
/// Carries hints between the nodes that share a PostgreSQL: which sessions have changed, and that there is something to deliver.
/// NOTIFY takes a lock of the whole instance at commit, so it stays out of the transactions of uploads and is sent at most once
/// in <see cref="Batch"/>, for everything that happened meanwhile.
/// </summary>
internal sealed partial class PostgresNotifications(
    Database database, Settings settings, SessionNotifier notifier, AsyncAutoResetEvent deliver, TimeProvider clock,
    ILogger<PostgresNotifications> log) : BackgroundService
{
    public static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(20);

    private const string Channel = "apertur";

    // PostgreSQL takes payloads below 8,000 bytes; an id has 33 with its comma.
    private const int MaxIds = 200;

    // More sessions than these change at once nowhere but where everybody has something to look at anyway.
    private const int MaxPayloads = 20;
    private const string Everybody = "*";
    private const string DeliveriesDue = "due";

    private static readonly TimeSpan _reconnect = TimeSpan.FromSeconds(1);

    private readonly string _node = Guid.NewGuid().ToString("N");
    private readonly ConcurrentDictionary<Guid, bool> _changed = [];
    private readonly AsyncAutoResetEvent _tell = new();
    private int _deliveriesDue;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        notifier.PublishToOthers = Add;
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        // A hint that could not be sent is lost. Who waits elsewhere finds out when its time is up, and the other pumps within their second.
        WorkerLoop.RunAsync(TellAsync, clock, TimeSpan.Zero, LogFailure, stoppingToken),
        WorkerLoop.RunAsync(ListenAsync, clock, _reconnect, LogFailure, stoppingToken));

    private void Add(IReadOnlyCollection<Guid> sessionIds, bool deliveriesDue)
    {
        foreach (var id in sessionIds)
            _changed[id] = true;
        if (deliveriesDue)
            Volatile.Write(ref _deliveriesDue, 1);
        _tell.Set();
    }

    private async Task TellAsync(CancellationToken cancellationToken)
    {
        await _tell.WaitAsync(Timeout.InfiniteTimeSpan, clock, cancellationToken);
        await Task.Delay(Batch, clock, cancellationToken);
        if (Take() is { Length: > 0 } payloads)
        {
            await using var db = database.Open();
            await db.Database.SqlQuery<string>($"SELECT CAST(pg_notify({Channel}, payload) AS TEXT) AS \"Value\" FROM unnest({payloads}) payload")
                .ToListAsync(cancellationToken);
        }
    }

    /// <summary>What is to be told, each with the node, whether deliveries are due, and ids or everybody; nothing when there is nothing.</summary>
    private string[] Take()
    {
        var ids = new List<string>();
        foreach (var id in _changed.Keys)
        {
            if (_changed.TryRemove(id, out _))
                ids.Add(id.ToString("N"));
        }

        var due = Interlocked.Exchange(ref _deliveriesDue, 0) == 1;
        if (ids.Count == 0 && !due)
            return [];
        string[] whom = ids.Count > MaxIds * MaxPayloads ? [Everybody] : [.. ids.Chunk(MaxIds).Select(some => string.Join(',', some)).DefaultIfEmpty("")];
        return [.. whom.Select(those => $"{_node} {(due ? DeliveriesDue : "-")} {those}")];
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        // Keepalive notices a connection that died without a word, such as behind a firewall.
        var options = new NpgsqlConnectionStringBuilder(settings.Database.ConnectionString) { KeepAlive = 30, Pooling = false };
        await using var connection = new NpgsqlConnection(options.ConnectionString);
        connection.Notification += (_, notice) => Hear(notice.Payload);
        await connection.OpenAsync(cancellationToken);
        await using (var listen = new NpgsqlCommand("LISTEN " + Channel, connection))
            await listen.ExecuteNonQueryAsync(cancellationToken);

        // Whatever was said while nobody listened here.
        notifier.WakeAll();
        deliver.Set();
        while (true)
            await connection.WaitAsync(cancellationToken);
    }

    private void Hear(string payload)
    {
        // Another program may use the channel's name: what does not look like ours wakes nobody.
        if (payload.Split(' ') is not [var node, var due, var ids] || node == _node)
            return;
        if (ids == Everybody)
            notifier.WakeAll();
        else
            notifier.Wake(ids.Split(',').Select(text => Guid.TryParseExact(text, "N", out var id) ? id : Guid.Empty));
        if (due == DeliveriesDue)
            deliver.Set();
    }

    [LoggerMessage(EventName = "notices.failed", Level = LogLevel.Warning,
        Message = "Hints between nodes failed; they go on without until the connection is back")]
    private partial void LogFailure(Exception exception);
}
