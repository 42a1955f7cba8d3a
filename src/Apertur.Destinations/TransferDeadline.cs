using System.Globalization;

namespace Apertur.Destinations;

/// <summary>
/// The time limits of a transfer: so long without progress, and for the whole twice that and one second for every
/// <see cref="SlowestBytesPerSecond"/>. A fixed total would refuse large images to slow places; no total at all would let one
/// that takes a byte now and then hold its lane for ever.
/// </summary>
internal sealed class TransferDeadline : IDisposable
{
    public const int SlowestBytesPerSecond = 64 * 1024;

    /// <summary>The longest wait for the first byte of an answer, or for the next piece to be taken, where the owner cannot choose it.</summary>
    public static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(30);

    private readonly TimeSpan _wait;
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource _stalled;
    private readonly CancellationTokenSource _tooSlow;
    private readonly CancellationTokenSource _any;

    /// <param name="wait">The longest wait without progress.</param>
    /// <param name="bytes">What is to be sent.</param>
    /// <param name="clock">Measures both limits.</param>
    /// <param name="caller">Ends everything at once, without a verdict.</param>
    public TransferDeadline(TimeSpan wait, long bytes, TimeProvider clock, CancellationToken caller)
    {
        _wait = wait;
        _caller = caller;
        Clock = clock;
        _stalled = new CancellationTokenSource(wait, clock);
        // One wait for the connection and one for the answer, beside what the bytes take.
        _tooSlow = new CancellationTokenSource((2 * wait) + TimeSpan.FromSeconds(bytes / SlowestBytesPerSecond), clock);
        _any = CancellationTokenSource.CreateLinkedTokenSource(caller, _stalled.Token, _tooSlow.Token);
    }

    /// <summary>Runs one attempt over HTTP within its time, and says what a failure without an answer means.</summary>
    /// <param name="wait">The longest wait without progress.</param>
    /// <param name="bytes">What the attempt sends.</param>
    /// <param name="clock">Measures the limits.</param>
    /// <param name="act">The attempt. It tells of progress, and passes <see cref="Token"/> on.</param>
    /// <param name="cancellationToken">The server stops.</param>
    /// <exception cref="OperationCanceledException">The server stops.</exception>
    public static async Task<DeliveryOutcome> AttemptAsync(
        TimeSpan wait, long bytes, TimeProvider clock, Func<TransferDeadline, Task<DeliveryOutcome>> act, CancellationToken cancellationToken)
    {
        using var deadline = new TransferDeadline(wait, bytes, clock, cancellationToken);
        try
        {
            return await act(deadline).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException)
        {
            return deadline.Verdict() ?? HttpOutcome.Of(exception);
        }
    }

    public TimeProvider Clock { get; }

    /// <summary>For everything that has to end with the attempt.</summary>
    public CancellationToken Token => _any.Token;

    /// <summary>Restarts the wait: there was progress.</summary>
    public void Progress() => _stalled.CancelAfter(_wait);

    /// <summary>
    /// What a failure came from, when it came from a limit; null when it did not. To be asked after any failure: what an
    /// ended wait looks like depends on what the connection was doing.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller ended it.</exception>
    public DeliveryOutcome.TryAgain? Verdict()
    {
        _caller.ThrowIfCancellationRequested();
        if (_stalled.IsCancellationRequested)
        {
            return new DeliveryOutcome.TryAgain(
                string.Create(CultureInfo.InvariantCulture, $"The destination did not answer within {_wait.TotalSeconds} s."))
            {
                TimedOut = true,
            };
        }

        return _tooSlow.IsCancellationRequested
            ? new DeliveryOutcome.TryAgain("The destination took the image too slowly.") { TimedOut = true }
            : null;
    }

    public void Dispose()
    {
        _any.Dispose();
        _stalled.Dispose();
        _tooSlow.Dispose();
    }
}
