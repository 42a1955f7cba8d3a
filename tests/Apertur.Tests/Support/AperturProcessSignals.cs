using System.Diagnostics;
using System.Globalization;

namespace Apertur.Tests.Support;

/// <summary>What an operator, or a machine, does to a process.</summary>
internal sealed partial class AperturProcess
{
    /// <summary>It stops without ending, as a virtual machine does that is moved, or one whose disk hangs.</summary>
    public Task FreezeAsync() => SignalAsync("-STOP");

    public Task ThawAsync() => SignalAsync("-CONT");

    /// <summary>Tells it to end, and waits until it has.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> TerminateAsync()
    {
        _isEnded = true;
        await SignalAsync("-TERM");
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(CancellationToken.None);
        Assert.Equal(0, kill.ExitCode);
    }
}
