using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>The measurements of <c>bench/</c> are made seldom, and must work when they are.</summary>
public sealed class BenchTests
{
    [Fact]
    public async Task Every_measurement_can_be_made()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);

        var said = await Shell.RunAsync(
            $"export BENCH_NODES_DATABASE='{database.ConnectionString}'; cd '{RepositoryFiles.Root}' && dotnet artifacts/bin/bench/release/bench.dll --program artifacts/bin/Apertur.Tests/release/apertur --small");

        Assert.DoesNotContain("several nodes need", said, StringComparison.Ordinal);
        var questions = Directory.EnumerateDirectories(Path.Combine(RepositoryFiles.Root, "bench"))
            .Select(Path.GetFileName).Except(["shared", "bin", "obj"]).Order();
        Assert.Equal(questions, said.Split('\n').Where(line => line.Contains(" cores, ", StringComparison.Ordinal)).Select(line => line.Split(':')[0]).Order());
    }
}
