using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Bench.BytesOut;

/// <summary>
/// Photos of 2.5 MB to three webhooks, by turns with a loop that reads the same files and sends them to the same receiver, and with one that also
/// signs and checks them as webhooks are: what hashing alone leaves of the line.
/// </summary>
internal static class BytesOutBench
{
    private const int Clients = 4;
    private const int Destinations = 3;

    private static readonly byte[] _key = new byte[32];

    public static void Run(Setup setup)
    {
        using var receiver = new Receiver();
        using var ours = setup.Start();
        ours.Destinations = [.. Enumerable.Range(0, Destinations).Select(_ => ours.CreateWebhook(receiver.Url, "binary"))];
        var photo = NoiseJpeg.OfAbout(2_500_000);
        var perClient = Math.Max(1, setup["photos"] / Clients);
        var deliveries = perClient * Clients * Destinations;
        Console.WriteLine("photos of 2.5 MB to three webhooks; the loop knows no rows, and hashes nothing or as much as ours");
        Console.WriteLine("round   ours MB/s   loop MB/s   hashing loop MB/s   ours / loop   ours / hashing loop    cpu ms");
        var (plain, hashing) = (new List<double>(), new List<double>());
        // The first round only warms up.
        for (var round = 0; round <= setup["rounds"]; round++)
        {
            ours.Prepare(Clients, perClient);
            ours.SwitchDestinations(isActive: false);
            ours.Fill(photo, Clients, perClient);
            var files = ours.Files().ToList();
            var rates = new double[3];
            double cpu = 0;
            for (var turn = 0; turn < rates.Length; turn++)
            {
                var who = (turn + round) % rates.Length;
                receiver.Expect(deliveries);
                var before = ours.CpuMilliseconds();
                var clock = Stopwatch.StartNew();
                if (who == 0)
                    ours.SwitchDestinations(isActive: true);
                else
                    Loop(files, receiver.Port, hashes: who == 2);
                receiver.Wait();
                rates[who] = deliveries * photo.Length / 1e6 / clock.Elapsed.TotalSeconds;
                if (who == 0)
                    cpu = (ours.CpuMilliseconds() - before) / deliveries;
            }

            ours.Clear();
            if (round > 0)
            {
                plain.Add(rates[0] / rates[1]);
                hashing.Add(rates[0] / rates[2]);
            }

            Console.WriteLine($"{(round == 0 ? "warm up" : round),7} {rates[0],9:F0} {rates[1],11:F0} {rates[2],19:F0} {rates[0] / rates[1],13:F2} {rates[0] / rates[2],21:F2} {cpu,9:F2}");
        }

        Console.WriteLine($"  ours / loop {Figures.Spread(plain, "F2")}, ours / hashing loop {Figures.Spread(hashing, "F2")}");
    }

    // Each file to each destination, by as many threads as there are lanes for a destination at first.
    private static void Loop(List<string> files, int port, bool hashes)
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
                // The body's signature and that of Standard Webhooks stand before the body; that it is what was received shows while it is sent.
                using var body = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
                using var standard = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
                using var received = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                while (hashes && file.Read(buffer) is var got and > 0)
                {
                    body.AppendData(buffer, 0, got);
                    standard.AppendData(buffer, 0, got);
                }

                file.Position = 0;
                socket.Send(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {file.Length}\r\n\r\n"));
                while (file.Read(buffer) is var got and > 0)
                {
                    if (hashes)
                        received.AppendData(buffer, 0, got);
                    socket.Send(buffer.AsSpan(0, got));
                }

                if (socket.Receive(buffer) == 0)
                    throw new IOException("The receiver closed the connection.");
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
    }
}
