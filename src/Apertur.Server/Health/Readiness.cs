using Apertur.Server.Blobs;
using Apertur.Server.Http;
using Apertur.Server.Storage;

namespace Apertur.Server.Health;

/// <summary>Runs the readiness checks for all who ask at about the same time, and keeps what they found for a few seconds.</summary>
internal sealed partial class Readiness(IEnumerable<IReadinessCheck> checks, TimeProvider clock, ILogger<Readiness> log)
{
    /// <summary>How old an answer may be. Balancers ask every few seconds, each for itself.</summary>
    public static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);

    /// <summary>A check that takes longer has failed: whoever asks does not wait for a database's own time-outs.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly IReadinessCheck[] _checks = [.. checks];
    private Task<ReadinessProblem[]>? _latest;
    private long _began;

    /// <returns>What is wrong now; empty when nothing is.</returns>
    public async Task<IReadOnlyList<ReadinessProblem>> LookAsync(CancellationToken cancellationToken) =>
        await Latest().WaitAsync(cancellationToken);

    private Task<ReadinessProblem[]> Latest()
    {
        lock (_lock)
        {
            if (_latest is null || (_latest.IsCompleted && clock.GetElapsedTime(_began) >= Freshness))
            {
                _began = clock.GetTimestamp();
                // Nobody's own request: one who goes away must not take the answer from the others.
                _latest = Task.Run(RunAsync);
            }

            return _latest;
        }
    }

    private async Task<ReadinessProblem[]> RunAsync()
    {
        var found = await Task.WhenAll(_checks.Select(RunAsync));
        return [.. found.OfType<ReadinessProblem>()];
    }

    private async Task<ReadinessProblem?> RunAsync(IReadinessCheck check)
    {
        using var limit = new CancellationTokenSource(Longest, clock);
        var problem = await LookAsync(check, limit.Token);
        return problem is null ? null : problem with { Check = check.Name };
    }

    private async Task<ReadinessProblem?> LookAsync(IReadinessCheck check, CancellationToken limit)
    {
        try
        {
            return await Task.Run(() => check.LookAsync(limit), limit).WaitAsync(limit);
        }
        catch (OperationCanceledException)
        {
            return new($"There was no answer within {Longest.TotalSeconds} seconds.", ApiErrors.Unavailable);
        }
        catch (Exception exception)
        {
            LogFailure(check.Name, exception);
            var refusal = StorageFault.Of(exception) == StorageFaultKind.NoRoom ? ApiErrors.DiskFull : ApiErrors.Unavailable;
            return exception is ObjectStoreException ? new(exception.Message, refusal)
                : refusal == ApiErrors.DiskFull ? new("There is no room left on the disk.", refusal)
                : new("It does not work at the moment; the log says why.", refusal);
        }
    }

    [LoggerMessage(EventName = "readiness.failed", Level = LogLevel.Error, Message = "readiness.failed {Check}")]
    private partial void LogFailure(string check, Exception exception);
}
