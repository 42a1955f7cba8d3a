using System.Diagnostics;
using System.Globalization;

namespace Apertur.Tests.Support;

/// <summary>A process that stops without ending, as a virtual machine does that is moved, or one whose disk hangs.</summary>
internal sealed partial class AperturProcess
{
    public Task FreezeAsync() => SignalAsync("-STOP");

    public Task ThawAsync() => SignalAsync("-CONT");

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(CancellationToken.None);
        Assert.Equal(0, kill.ExitCode);
    }
}
