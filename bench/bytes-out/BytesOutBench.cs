using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Bench.BytesOut;

/// <summary>Photos of 2.5 MB to three webhooks, by turns with a loop that reads the same files and sends them to the same receiver.</summary>
internal static class BytesOutBench
{
    private const int Clients = 4;
    private const int Destinations = 3;

    public static void Run(Setup setup)
    {
        using var receiver = new Receiver();
        using var ours = setup.Start();
        ours.Destinations = [.. Enumerable.Range(0, Destinations).Select(_ => ours.CreateWebhook(receiver.Url, "binary"))];
        var photo = NoiseJpeg.OfAbout(2_500_000);
        var perClient = Math.Max(1, setup["photos"] / Clients);
        var deliveries = perClient * Clients * Destinations;
        Console.WriteLine("photos of 2.5 MB to three webhooks; the loop hashes nothing and knows no rows");
        Console.WriteLine("round   ours MB/s   loop MB/s   ratio    cpu ms");
        var ratios = new List<double>();
        // The first round only warms up.
        for (var round = 0; round <= setup["rounds"]; round++)
        {
            ours.Prepare(Clients, perClient);
            ours.SwitchDestinations(isActive: false);
            ours.Fill(photo, Clients, perClient);
            var files = ours.Files().ToList();
            double theirs = 0, own = 0, cpu = 0;
            for (var turn = 0; turn < 2; turn++)
            {
                receiver.Expect(deliveries);
                var before = ours.CpuMilliseconds();
                var clock = Stopwatch.StartNew();
                if (turn == round % 2)
                {
                    ours.SwitchDestinations(isActive: true);
                    receiver.Wait();
                    own = deliveries * photo.Length / 1e6 / clock.Elapsed.TotalSeconds;
                    cpu = (ours.CpuMilliseconds() - before) / deliveries;
                }
                else
                {
                    Loop(files, receiver.Port);
                    receiver.Wait();
                    theirs = deliveries * photo.Length / 1e6 / clock.Elapsed.TotalSeconds;
                }
            }

            ours.Clear();
            if (round > 0)
                ratios.Add(own / theirs);
            Console.WriteLine($"{(round == 0 ? "warm up" : round),7} {own,9:F0} {theirs,11:F0} {own / theirs,9:F2} {cpu,9:F2}");
        }

        Console.WriteLine($"  ratio {Figures.Spread(ratios, "F2")}");
    }

    // Each file to each destination, by as many threads as there are lanes for a destination at first.
    private static void Loop(List<string> files, int port)
    {
        var next = -1;
        var threads = Enumerable.Range(0, 8 * Destinations).Select(_ => new Thread(() =>
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(IPAddress.Loopback, port);
            var buffer = new byte[64 * 1024];
            while (Interlocked.Increment(ref next) is var number && number < files.Count * Destinations)
            {
                using var file = new FileStream(files[number % files.Count], FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
                socket.Send(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {file.Length}\r\n\r\n"));
                while (file.Read(buffer) is var got and > 0)
                    socket.Send(buffer.AsSpan(0, got));
                if (socket.Receive(buffer) == 0)
                    throw new IOException("The receiver closed the connection.");
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
    }
}
