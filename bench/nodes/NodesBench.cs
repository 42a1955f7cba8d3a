using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Apertur.Bench.Nodes;

/// <summary>
/// Photos that one node takes, one after the other, each until another node has called its webhook, and until a third has told those who wait there.
/// </summary>
internal static class NodesBench
{
    public static void Run(Setup setup)
    {
        if (Environment.GetEnvironmentVariable("BENCH_NODES_DATABASE") is not { Length: > 0 } postgres)
        {
            Console.WriteLine("Left out: several nodes need a PostgreSQL, and BENCH_NODES_DATABASE names none.");
            return;
        }

        var installation = setup.Install(postgres, allowDataLoss: true);
        using var receiver = new Receiver();
        using var taking = installation.Serve("--role", "web");
        using var waiting = installation.Serve("--role", "web");
        using var delivering = installation.Serve("--role", "worker");
        taking.Destinations = [taking.CreateWebhook(receiver.Url, "multipart")];
        var photo = NoiseJpeg.OfAbout(2_000);

        Measure(taking, waiting, receiver, photo, Math.Min(setup["photos"], 20));
        var (webhooks, polls, streams) = Measure(taking, waiting, receiver, photo, setup["photos"]);
        Print("the webhook's first byte, sent by another node", webhooks);
        Print("the answer of a long poll at another node", polls);
        Print("the event of a stream at another node", streams);
    }

    private static (double[] Webhooks, double[] Polls, double[] Streams) Measure(Ours taking, Ours waiting, Receiver receiver, byte[] photo, int photos)
    {
        var found = new List<(double Webhook, double Poll, double Stream)>();
        using var sending = new Connection(taking.Port);
        while (found.Count < photos)
        {
            var session = taking.NewSession();
            var path = $"/upload-sessions/{session}/delivery-status";
            var from = waiting.Call("GET", path).GetProperty("lastChanged").GetString()!;
            using var poll = Begin(waiting, $"{path}?pollFrom={Uri.EscapeDataString(from)}");
            using var stream = Begin(waiting, $"/upload/{session}/events");
            // What a stream says of itself at its beginning; and both are held by then.
            stream.Receive(new byte[4096]);
            Figures.Pause(TimeSpan.FromMilliseconds(50));
            if (stream.Available > 0 || poll.Available > 0)
                throw new IOException("Something was told before there was a photo.");
            receiver.Expect(1);
            var answers = Task.WhenAll(NextAsync(poll), NextAsync(stream));

            sending.Send(Ours.RequestTo(session, photo));
            sending.Receive();
            var answered = Stopwatch.GetTimestamp();
            receiver.Wait();
            var told = answers.WaitAsync(TimeSpan.FromSeconds(30)).GetAwaiter().GetResult();
            // They may come before the answer was read.
            double After(long at) => Math.Max(0, Stopwatch.GetElapsedTime(answered, at).TotalMilliseconds);
            found.Add((After(receiver.LastFirstByte), After(told[0]), After(told[1])));
        }

        return ([.. found.Select(of => of.Webhook)], [.. found.Select(of => of.Poll)], [.. found.Select(of => of.Stream)]);
    }

    private static Socket Begin(Ours server, string path)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, server.Port);
        socket.Send(server.Get(path));
        return socket;
    }

    private static Task<long> NextAsync(Socket socket) => Task.Run(() =>
    {
        if (socket.Receive(new byte[4096]) == 0)
            throw new IOException("The server closed the connection of one who waits.");
        return Stopwatch.GetTimestamp();
    });

    private static void Print(string what, double[] milliseconds) => Console.WriteLine(
        $"201 to {what}: p50 {Figures.Median(milliseconds):F1} ms, p95 {Figures.At(milliseconds, 0.95):F1}, longest {milliseconds.Max():F1}");
}
