using System.Diagnostics;

namespace Apertur.Bench.Latency;

/// <summary>Photos one after the other, each until its webhook was called; with <c>--draining</c> while so many more go to another destination.</summary>
internal static class LatencyBench
{
    private const int Clients = 16;

    public static void Run(Setup setup)
    {
        using var receiver = new Receiver();
        using var crowded = new Receiver();
        using var ours = setup.Start();
        var photo = NoiseJpeg.OfAbout(2_000);

        ours.Destinations = [ours.CreateWebhook(receiver.Url, "multipart")];
        Measure(ours, receiver, photo, setup["photos"]);
        Print("quiet", Measure(ours, receiver, photo, setup["photos"]));
        if (setup["draining"] == 0)
            return;

        var own = ours.Destinations;
        ours.Destinations = [ours.CreateWebhook(crowded.Url, "multipart")];
        var perClient = Math.Max(1, setup["draining"] / Clients);
        ours.Forget();
        ours.Prepare(Clients, perClient);
        ours.SwitchDestinations(isActive: false);
        ours.Fill(photo, Clients, perClient);
        crowded.Expect(perClient * Clients);
        ours.SwitchDestinations(isActive: true);
        ours.Destinations = own;
        ours.Forget();
        Print("while others drain", Measure(ours, receiver, photo, setup["photos"]));
        Console.WriteLine($"{crowded.Left} of {perClient * Clients} of theirs were left at the end");
    }

    private static double[] Measure(Ours ours, Receiver receiver, byte[] photo, int photos)
    {
        var milliseconds = new double[photos];
        using var connection = new Connection(ours.Port);
        for (var i = 0; i < photos; i++)
        {
            ours.Prepare(1, 1);
            receiver.Expect(1);
            connection.Send(ours.Request(0, photo));
            connection.Receive();
            var answered = Stopwatch.GetTimestamp();
            receiver.Wait();
            // The call may come before the answer was read.
            milliseconds[i] = Math.Max(0, Stopwatch.GetElapsedTime(answered, receiver.LastFirstByte).TotalMilliseconds);
        }

        return milliseconds;
    }

    private static void Print(string when, double[] milliseconds) => Console.WriteLine(
        $"201 to the webhook's first byte, {when}: p50 {Figures.Median(milliseconds):F2} ms, p99 {Figures.At(milliseconds, 0.99):F2}, longest {milliseconds.Max():F2}");
}
