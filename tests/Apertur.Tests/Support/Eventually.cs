using System.Runtime.CompilerServices;

namespace Apertur.Tests.Support;

/// <summary>
/// The one place where tests wait in real time, for what happens in another thread or process. Always bounded, and over at the moment
/// it happens.
/// </summary>
internal static class Eventually
{
    /// <summary>Generous, because machines that run tests are busy: it is used up only when a test fails.</summary>
    private static readonly TimeSpan _bound = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits for a signal.</summary>
    public static async Task<T> Arrives<T>(Task<T> signal, [CallerArgumentExpression(nameof(signal))] string what = "")
    {
        await Arrives((Task)signal, what);
        return await signal;
    }

    /// <inheritdoc cref="Arrives{T}"/>
    public static async Task Arrives(Task signal, [CallerArgumentExpression(nameof(signal))] string what = "")
    {
        try
        {
            await signal.WaitAsync(_bound, TimeProvider.System, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException) when (!signal.IsCompleted)
        {
            Assert.Fail($"Nothing arrived within {_bound.TotalSeconds} s: {what}");
        }
    }

    /// <summary>Waits until a condition holds.</summary>
    public static Task True(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        Becomes(() => Task.FromResult(condition()), holds => holds, what);

    /// <summary>Reads again and again until the value is as wanted, and returns it; the failure shows the last one read.</summary>
    /// <param name="read">Gives the value.</param>
    /// <param name="wanted">Whether it is the one.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="bound">When what is promised takes longer than the usual time.</param>
    public static async Task<T> Becomes<T>(
        Func<Task<T>> read, Func<T, bool> wanted, [CallerArgumentExpression(nameof(wanted))] string what = "", TimeSpan? bound = null)
    {
        var most = bound ?? _bound;
        var cancellation = TestContext.Current.CancellationToken;
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var value = await read();
            if (wanted(value))
                return value;
            if (TimeProvider.System.GetElapsedTime(started) > most)
                Assert.Fail($"Not so within {most.TotalSeconds} s: {what}. Last seen: {value}");
            await Task.Delay(_pause, TimeProvider.System, cancellation);
        }
    }
}
