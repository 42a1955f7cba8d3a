using System.Globalization;
using Apertur.Bench.Ingest;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is not ["--program", var program, .. var rest])
{
    Console.Error.WriteLine("Usage: ingest --program PATH [rounds]");
    return 1;
}

var rounds = rest is [var count] ? int.Parse(count, CultureInfo.InvariantCulture) : 5;
var folder = Path.Combine(Path.GetFullPath("artifacts"), "bench-ingest");
if (Directory.Exists(folder))
    Directory.Delete(folder, recursive: true);
Directory.CreateDirectory(folder);
try
{
    using var ours = Ours.Start(Path.GetFullPath(program), folder);
    using var nginx = Nginx.Start(folder);

    var large = NoiseJpeg.OfAbout(2_500_000);
    var small = NoiseJpeg.OfAbout(200_000);
    Console.WriteLine($"{Environment.ProcessorCount} cores, medians of {rounds} alternating rounds; nginx syncs nothing, ours syncs and commits everything");
    Console.WriteLine();
    Console.WriteLine("image    clients        uploads/s    p50 ms    p99 ms    cpu ms   peak MB");
    // A server that just started compiles its code for some thousand requests; that is not what is compared.
    for (var i = 0; i < 3; i++)
    {
        Round.Run(ours, small, clients: 16, requestsPerClient: 150);
        Round.Run(ours, large, clients: 16, requestsPerClient: 15);
    }

    Compare("2.5 MB", large, clients: 16, requestsPerClient: 15);
    Compare("2.5 MB", large, clients: 1, requestsPerClient: 60);
    Compare("0.2 MB", small, clients: 16, requestsPerClient: 60);
    Compare("0.2 MB", small, clients: 1, requestsPerClient: 300);

    var huge = NoiseJpeg.OfAbout(20_000_000);
    Console.WriteLine($"16 x 20 MB in flight together: ours peaks at {Round.AllInFlight(ours, huge, 16):F0} MB, "
        + $"nginx at {Round.AllInFlight(nginx, huge, 16):F0} MB");

    void Compare(string image, byte[] bytes, int clients, int requestsPerClient)
    {
        // The first round only warms up.
        var measured = new Dictionary<Peer, List<Round>> { [ours] = [], [nginx] = [] };
        for (var round = 0; round <= rounds; round++)
        {
            foreach (var peer in round % 2 == 0 ? new Peer[] { ours, nginx } : [nginx, ours])
            {
                var result = Round.Run(peer, bytes, clients, requestsPerClient);
                if (round > 0)
                    measured[peer].Add(result);
            }
        }

        foreach (var (peer, results) in measured)
            Console.WriteLine($"{image,-8} {clients,7} {peer.Name,6} {Median(results, r => r.PerSecond),9:F0} {Median(results, r => r.P50),9:F2} "
                + $"{Median(results, r => r.P99),9:F2} {Median(results, r => r.CpuMilliseconds),9:F2} {results.Max(r => r.PeakMegabytes),9:F0}");
        var ratio = Round.Median(measured[ours].Zip(measured[nginx], (a, b) => a.PerSecond / b.PerSecond));
        Console.WriteLine($"{image,-8} {clients,7}  ratio {ratio,8:F2}x");
        Console.WriteLine();
    }
}
catch (IOException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}
finally
{
    Directory.Delete(folder, recursive: true);
}

return 0;

static double Median(List<Round> rounds, Func<Round, double> figure) => Round.Median(rounds.Select(figure));
