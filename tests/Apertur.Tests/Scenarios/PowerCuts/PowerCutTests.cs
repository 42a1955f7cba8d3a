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
    public Task Every_promise_survives_power_cuts(string fileSystem, int half) => OneServer().RunAsync(
        cuts: 3, TimeSpan.FromMinutes(2), [.. Work.Others.Where((_, i) => i % 2 == half)], fileSystem);

    [Fact]
    public Task Every_promise_of_several_servers_survives_a_power_cut_of_one_or_of_their_database() =>
        SeveralServers(2, synced: true).RunAsync(cuts: 3, TimeSpan.FromMinutes(2), [.. Work.Others.Where(work => work != Work.Retention)], "ext4");

    /// <summary>Otherwise the test above could not fail.</summary>
    [Fact]
    public async Task Without_syncs_a_power_cut_breaks_promises()
    {
        var run = OneServer(WithoutSync());

        var failure = await Assert.ThrowsAnyAsync<XunitException>(() => run.RunAsync(cuts: 20, TimeSpan.FromMinutes(2), Work.Others, "ext4"));

        Assert.Contains("After power of the server on ext4 was cut", failure.Message, StringComparison.Ordinal);
        output.WriteLine(failure.Message);
    }

    /// <summary>The same many times; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public Task Every_promise_survives_hundreds_of_power_cuts()
    {
        var seed = Number("CHAOS_SEED", Environment.TickCount & 0xFFFF);
        var synced = Number("CHAOS_WITHOUT_SYNC", 0) == 0;
        var nodes = Number("CHAOS_NODES", 1);
        var run = nodes == 1 ? OneServer(synced ? [] : WithoutSync(), seed) : SeveralServers(nodes, synced, seed);
        return run.RunAsync(Number("CHAOS_CUTS", 300), TimeSpan.FromMinutes(Number("CHAOS_MINUTES", 60)), Work.Others, LoopDisk.FileSystems);
    }

    private static string[] WithoutSync() => [Components.Program("python3"), _withoutSync];

    private PowerCutRun OneServer(string[]? launcher = null, int seed = 1) =>
        new(output, seed, fileSystem => Installed.OneAsync(fileSystem, launcher ?? []));

    private PowerCutRun SeveralServers(int servers, bool synced, int seed = 1) =>
        new(output, seed, fileSystem => Installed.SeveralAsync(fileSystem, servers, synced));

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? int.Parse(value, CultureInfo.InvariantCulture) : otherwise;
}
