using System.Diagnostics;

namespace Apertur.Bench.Deliveries;

/// <summary>Photos come in while their webhooks are switched off; then these are switched on, until the last has arrived.</summary>
internal static class DeliveriesBench
{
    private const int Clients = 16;

    public static void Run(Setup setup)
    {
        using var receiver = new Receiver();
        using var ours = setup.Start();
        var peers = BullMq.Start(setup.Folder, receiver.Url);
        try
        {
            Compare(setup, receiver, ours, peers);
        }
        finally
        {
            foreach (var peer in peers)
                peer.Dispose();
        }
    }

    private static void Compare(Setup setup, Receiver receiver, Ours ours, IReadOnlyList<BullMq> peers)
    {
        ours.Destinations = [.. Enumerable.Range(0, setup["destinations"]).Select(_ => ours.CreateWebhook(receiver.Url, "multipart"))];
        var perClient = Math.Max(1, setup["photos"] / Clients);
        var deliveries = perClient * Clients * setup["destinations"];
        Console.WriteLine("Photos of 2 kB, default settings, everything synced");
        if (peers.Count == 0)
            Console.WriteLine("BullMQ is not installed and left out: see bench/README.md");
        Console.WriteLine($"round   deliveries/s    cpu ms   peak MB{string.Concat(peers.Select(peer => $"   BullMQ {peer.Name}/s   ratio"))}");
        var ratios = peers.ToDictionary(peer => peer, _ => new List<double>());
        var photo = NoiseJpeg.OfAbout(2_000);
        var figures = new List<(double PerSecond, double Cpu)>();
        // The first round only warms up.
        for (var round = 0; round <= setup["rounds"]; round++)
        {
            // A session takes no destination that is switched off, and keeps one that is switched off later.
            ours.Prepare(Clients, perClient);
            ours.SwitchDestinations(isActive: false);
            ours.Fill(photo, Clients, perClient);
            receiver.Expect(deliveries);
            ours.ResetPeak();
            var cpu = ours.CpuMilliseconds();
            var clock = Stopwatch.StartNew();
            ours.SwitchDestinations(isActive: true);
            receiver.Wait();
            var perSecond = deliveries / clock.Elapsed.TotalSeconds;
            cpu = (ours.CpuMilliseconds() - cpu) / deliveries;
            if (round > 0)
                figures.Add((perSecond, cpu));
            Console.Write($"{(round == 0 ? "warm up" : round),7} {perSecond,12:F0} {cpu,9:F2} {ours.PeakMegabytes(),9:F0}");
            foreach (var peer in peers)
            {
                receiver.Expect(deliveries);
                var theirs = peer.Run(deliveries);
                if (round > 0)
                    ratios[peer].Add(perSecond / theirs);
                Console.Write($" {theirs,18:F0} {perSecond / theirs,7:F2}");
            }

            Console.WriteLine();
        }

        Console.WriteLine($" median {Figures.Median(figures.Select(f => f.PerSecond)),12:F0} {Figures.Median(figures.Select(f => f.Cpu)),9:F2}");
        foreach (var (peer, against) in ratios)
            Console.WriteLine($" ours / BullMQ {peer.Name} {Figures.Spread(against, "F2")}");
    }
}
