namespace Apertur.Bench.Ingest;

/// <summary>Ours, servers that others have built, and what the machine allows, by turns.</summary>
internal static class IngestBench
{
    private static readonly string[] _others = ["nginx", "tus", "parse"];

    public static void Run(Setup setup)
    {
        using var ours = setup.Start();
        using var nginx = Nginx.Start(setup.Folder);
        using var tus = NodePeer.AreInstalled ? NodePeer.Tus(setup.Folder) : null;
        using var parse = NodePeer.AreInstalled && Environment.GetEnvironmentVariable("BENCH_PARSE_DATABASE") is { Length: > 0 } database
            ? NodePeer.Parse(setup.Folder, database)
            : null;
        var peers = new Peer?[] { ours, nginx, tus, parse }.OfType<Peer>().ToList();
        var (rounds, requests, isCleared) = (setup["rounds"], setup["requests"], setup["clear"] == 1);

        var large = NoiseJpeg.OfAbout(2_500_000);
        var small = NoiseJpeg.OfAbout(200_000);
        Console.WriteLine($"Medians of alternating rounds{(isCleared ? "" : ", files kept between them")}; ours syncs and commits everything, the others sync nothing. "
            + "limit: as many threads that write, hash, sync and rename files");
        foreach (var missing in _others.Except(peers.Select(peer => peer.Name)))
            Console.WriteLine($"{missing} is not installed and left out: see bench/README.md");
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
        Console.WriteLine($"16 x {setup["megabytes"]} MB in flight together, peak MB: "
            + string.Join(", ", peers.Select(peer => $"{peer.Name} {Round.AllInFlight(peer, huge, 16):F0}")));

        void Compare(string image, byte[] bytes, int clients, int requestsPerClient)
        {
            var measured = peers.ToDictionary(peer => peer, _ => new List<Round>());
            var limits = new List<double>();
            // The first round only warms up.
            for (var round = 0; round <= rounds; round++)
            {
                var limit = DurableLimit.Run(setup.Folder, bytes, clients, requestsPerClient);
                foreach (var peer in round % 2 == 0 ? peers : Enumerable.Reverse(peers))
                {
                    var result = Round.Run(peer, bytes, clients, requestsPerClient, isCleared);
                    if (round > 0)
                        measured[peer].Add(result);
                }

                if (round > 0)
                    limits.Add(limit);
            }

            foreach (var (peer, results) in measured)
            {
                Console.WriteLine($"{image,-8} {clients,7} {peer.Name,6} {Median(results, r => r.PerSecond),9:F0} {Median(results, r => r.P50),9:F2} "
                    + $"{Median(results, r => r.P99),9:F2} {Median(results, r => r.CpuMilliseconds),9:F2} {results.Max(r => r.PeakMegabytes),9:F0}");
            }

            Console.WriteLine($"{image,-8} {clients,7}  limit {Figures.Median(limits),9:F0}");
            foreach (var (name, theirs) in measured.Where(each => each.Key != ours).Select(each => (each.Key.Name, each.Value.Select(r => r.PerSecond))).Append(("limit", limits)))
                Console.WriteLine($"{image,-8} {clients,7}  ours / {name,-5} {Figures.Spread(measured[ours].Zip(theirs, (a, b) => a.PerSecond / b).ToList(), "F2")}");
        }
    }

    private static double Median(List<Round> rounds, Func<Round, double> figure) => Figures.Median(rounds.Select(figure));
}
