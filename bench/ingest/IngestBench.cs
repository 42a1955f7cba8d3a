namespace Apertur.Bench.Ingest;

/// <summary>Ours and nginx by turns.</summary>
internal static class IngestBench
{
    public static void Run(Setup setup)
    {
        using var ours = setup.Start();
        using var nginx = Nginx.Start(setup.Folder);
        var (rounds, requests) = (setup["rounds"], setup["requests"]);

        var large = NoiseJpeg.OfAbout(2_500_000);
        var small = NoiseJpeg.OfAbout(200_000);
        Console.WriteLine(nginx is null
            ? "nginx is missing and left out: apt-get install --no-install-recommends nginx"
            : "Medians of alternating rounds; nginx syncs nothing, ours syncs and commits everything");
        Console.WriteLine("image    clients        uploads/s    p50 ms    p99 ms    cpu ms   peak MB");
        // A server that just started compiles its code for some thousand requests; that is not what is compared.
        for (var i = 0; i < Math.Min(rounds, 3); i++)
        {
            Round.Run(ours, small, clients: 16, 10 * requests);
            Round.Run(ours, large, clients: 16, requests);
        }

        Compare("2.5 MB", large, clients: 16, requests);
        Compare("2.5 MB", large, clients: 1, 4 * requests);
        Compare("0.2 MB", small, clients: 16, 4 * requests);
        Compare("0.2 MB", small, clients: 1, 20 * requests);

        var huge = NoiseJpeg.OfAbout(setup["megabytes"] * 1_000_000);
        Console.WriteLine($"16 x {setup["megabytes"]} MB in flight together: ours peaks at {Round.AllInFlight(ours, huge, 16):F0} MB"
            + (nginx is null ? "" : $", nginx at {Round.AllInFlight(nginx, huge, 16):F0} MB"));

        void Compare(string image, byte[] bytes, int clients, int requestsPerClient)
        {
            // The first round only warms up.
            var peers = nginx is null ? new Peer[] { ours } : [ours, nginx];
            var measured = peers.ToDictionary(peer => peer, _ => new List<Round>());
            for (var round = 0; round <= rounds; round++)
            {
                foreach (var peer in round % 2 == 0 ? peers : peers.Reverse())
                {
                    var result = Round.Run(peer, bytes, clients, requestsPerClient);
                    if (round > 0)
                        measured[peer].Add(result);
                }
            }

            foreach (var (peer, results) in measured)
                Console.WriteLine($"{image,-8} {clients,7} {peer.Name,6} {Median(results, r => r.PerSecond),9:F0} {Median(results, r => r.P50),9:F2} "
                    + $"{Median(results, r => r.P99),9:F2} {Median(results, r => r.CpuMilliseconds),9:F2} {results.Max(r => r.PeakMegabytes),9:F0}");
            if (nginx is not null)
            {
                var ratios = measured[ours].Zip(measured[nginx], (a, b) => a.PerSecond / b.PerSecond).ToList();
                Console.WriteLine($"{image,-8} {clients,7}  ratio {Figures.Spread(ratios, "F2")}");
            }
        }
    }

    private static double Median(List<Round> rounds, Func<Round, double> figure) => Figures.Median(rounds.Select(figure));
}
