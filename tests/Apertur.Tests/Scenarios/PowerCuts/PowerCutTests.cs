using System.Globalization;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Xunit.Sdk;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>What an answer of success promised holds when the power is cut: real file systems, without what was not synced.</summary>
public sealed class PowerCutTests(ITestOutputHelper output)
{
    private static readonly string _withoutSync = Path.Combine(RepositoryFiles.Root, "chaos", "power", "without-sync");

    [Theory]
    [InlineData("ext4", 0)]
    [InlineData("xfs", 1)]
    public Task Every_promise_survives_power_cuts(string fileSystem, int half) => new PowerCutRun(output, seed: 1).RunAsync(
        cuts: 3, TimeSpan.FromMinutes(2), [.. Work.Others.Where((_, i) => i % 2 == half)], fileSystem);

    /// <summary>Otherwise the test above could not fail.</summary>
    [Fact]
    public async Task Without_syncs_a_power_cut_breaks_promises()
    {
        var run = new PowerCutRun(output, seed: 1, Components.Program("python3"), _withoutSync);

        var failure = await Assert.ThrowsAnyAsync<XunitException>(() => run.RunAsync(cuts: 20, TimeSpan.FromMinutes(2), Work.Others, "ext4"));

        Assert.Contains("After power was cut on ext4", failure.Message, StringComparison.Ordinal);
        output.WriteLine(failure.Message);
    }

    /// <summary>The same many times; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public Task Every_promise_survives_hundreds_of_power_cuts()
    {
        var run = new PowerCutRun(
            output, Number("CHAOS_SEED", Environment.TickCount & 0xFFFF),
            Number("CHAOS_WITHOUT_SYNC", 0) == 0 ? [] : [Components.Program("python3"), _withoutSync]);
        return run.RunAsync(Number("CHAOS_CUTS", 300), TimeSpan.FromMinutes(Number("CHAOS_MINUTES", 60)), Work.Others, LoopDisk.FileSystems);
    }

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? int.Parse(value, CultureInfo.InvariantCulture) : otherwise;
}
