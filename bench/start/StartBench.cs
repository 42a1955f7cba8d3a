using System.Diagnostics;
using System.Net.Sockets;

namespace Apertur.Bench.Start;

/// <summary>Starts the server again and again on the data that it was killed on.</summary>
internal static class StartBench
{
    public static void Run(Setup setup)
    {
        var installation = setup.Install();
        // Makes its tables and keys.
        installation.Serve().Dispose();
        Console.WriteLine("round   listening s   ready s   cpu s   first photo ms   hundredth ms   peak MB");
        var ready = new List<double>();
        var photo = NoiseJpeg.OfAbout(200_000);
        for (var round = 1; round <= setup["rounds"]; round++)
        {
            var clock = Stopwatch.StartNew();
            using var ours = installation.Serve();
            var listening = clock.Elapsed.TotalSeconds;
            while (!IsReady(ours))
                Figures.Pause(TimeSpan.FromMilliseconds(1));
            ready.Add(clock.Elapsed.TotalSeconds);
            var cpu = ours.CpuMilliseconds() / 1000;
            ours.Prepare(1, 100);
            using var connection = new Connection(ours.Port);
            var photos = new double[100];
            for (var i = 0; i < photos.Length; i++)
            {
                clock.Restart();
                connection.Send(ours.Request(0, photo));
                connection.Receive();
                photos[i] = clock.Elapsed.TotalMilliseconds;
            }

            Console.WriteLine($"{round,5} {listening,13:F2} {ready[^1],9:F2} {cpu,7:F2} {photos[0],16:F1} {Figures.Median(photos[^10..]),14:F1} {ours.PeakMegabytes(),9:F0}");
        }

        Console.WriteLine($"ready after {Figures.Spread(ready, "F2")} s");
    }

    private static bool IsReady(Ours ours)
    {
        try
        {
            using var connection = new Connection(ours.Port);
            connection.Send(["GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray()]);
            connection.Receive();
            return true;
        }
        catch (Exception failure) when (failure is IOException or SocketException)
        {
            return false;
        }
    }
}
