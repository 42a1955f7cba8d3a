using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Bench.Waiters;

/// <summary>Long polls on one session, which a photo ends; and event streams, twenty to a session, on which nothing happens.</summary>
internal static class WaitersBench
{
    private const int StreamsPerSession = 20;

    public static void Run(Setup setup)
    {
        using var ours = setup.Start();
        var photo = NoiseJpeg.OfAbout(2_000);
        Console.WriteLine($"round   p50 ms    p99 ms   longest ms: from the photo's 201 to the answer of {setup["polls"]} long polls on one session");
        // The first round only warms up.
        for (var round = 0; round <= setup["rounds"]; round++)
        {
            var milliseconds = Poll(ours, setup["polls"], photo);
            Console.WriteLine($"{(round == 0 ? "warm up" : round),7} {Figures.Median(milliseconds),7:F1} {Figures.At(milliseconds, 0.99),9:F1} {milliseconds.Max(),12:F1}");
        }

        Idle(ours, setup["streams"], setup["seconds"]);
    }

    private static double[] Poll(Ours ours, int waiters, byte[] photo)
    {
        var session = ours.NewSession();
        var path = $"/upload-sessions/{session}/delivery-status";
        var from = ours.Call("GET", path).GetProperty("lastChanged").GetString()!;
        var request = ours.Get($"{path}?pollFrom={Uri.EscapeDataString(from)}");
        var answered = 0L;
        var arrived = new long[waiters];
        using var begun = new CountdownEvent(waiters);
        var waiting = Enumerable.Range(0, waiters).Select(async number =>
        {
            using var socket = Connect(ours.Port);
            await socket.SendAsync(request);
            begun.Signal();
            var buffer = new byte[4096];
            var got = await socket.ReceiveAsync(buffer);
            arrived[number] = Stopwatch.GetTimestamp();
            if (!buffer.AsSpan(0, got).StartsWith("HTTP/1.1 200"u8))
                throw new IOException($"A long poll was refused: {Encoding.ASCII.GetString(buffer, 0, got)}");
        }).ToList();
        begun.Wait();
        // All of them are held by then.
        Figures.Pause(TimeSpan.FromSeconds(2));
        if (waiting.Exists(waiter => waiter.IsCompleted))
            throw new IOException("A long poll ended before there was a photo.");
        using (var connection = new Connection(ours.Port))
        {
            connection.Send(Ours.RequestTo(session, photo));
            connection.Receive();
            answered = Stopwatch.GetTimestamp();
        }

        Task.WhenAll(waiting).GetAwaiter().GetResult();
        // They may be told before the answer was read.
        return [.. arrived.Select(at => Math.Max(0, Stopwatch.GetElapsedTime(answered, at).TotalMilliseconds))];
    }

    private static void Idle(Ours ours, int streams, int seconds)
    {
        var sockets = new List<Socket>();
        try
        {
            ours.ResetPeak();
            var before = ours.PeakMegabytes();
            var buffer = new byte[4096];
            var session = "";
            for (var number = 0; number < streams; number++)
            {
                if (number % StreamsPerSession == 0)
                    session = ours.NewSession();
                var socket = Connect(ours.Port);
                sockets.Add(socket);
                socket.Send(ours.Get($"/upload/{session}/events"));
                if (socket.Receive(buffer) is var got && !buffer.AsSpan(0, got).StartsWith("HTTP/1.1 200"u8))
                    throw new IOException($"An event stream was refused: {Encoding.ASCII.GetString(buffer, 0, got)}");
            }

            var megabytes = ours.PeakMegabytes() - before;
            Figures.Pause(TimeSpan.FromSeconds(Math.Min(seconds, 2)));
            var cpu = ours.CpuMilliseconds();
            var clock = Stopwatch.StartNew();
            Figures.Pause(TimeSpan.FromSeconds(seconds));
            Console.WriteLine($"{streams} idle event streams: {(ours.CpuMilliseconds() - cpu) / clock.Elapsed.TotalMilliseconds:P1} of a core, {megabytes:F0} MB more");
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    private static Socket Connect(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, port);
        return socket;
    }
}
