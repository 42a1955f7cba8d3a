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
        ours.Destinations = [.. Enumerable.Range(0, setup["destinations"]).Select(_ => ours.CreateWebhook(receiver.Url, "multipart"))];
        var perClient = Math.Max(1, setup["photos"] / Clients);
        var deliveries = perClient * Clients * setup["destinations"];
        Console.WriteLine("Photos of 2 kB, default settings, everything synced");
        Console.WriteLine("round   deliveries/s    cpu ms   peak MB");
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
            Console.WriteLine($"{(round == 0 ? "warm up" : round),7} {perSecond,12:F0} {cpu,9:F2} {ours.PeakMegabytes(),9:F0}");
        }

        Console.WriteLine($" median {Figures.Median(figures.Select(f => f.PerSecond)),12:F0} {Figures.Median(figures.Select(f => f.Cpu)),9:F2}");
    }
}
