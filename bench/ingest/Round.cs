using System.Diagnostics;

namespace Apertur.Bench.Ingest;

/// <summary>
/// What one round measured: uploads per second, latencies in ms, the server's processor time per upload in ms (which other work on the machine
/// disturbs less than the rest), its peak memory in MB.
/// </summary>
internal sealed record Round(double PerSecond, double P50, double P99, double CpuMilliseconds, double PeakMegabytes)
{
    /// <summary>Uploads the image from so many clients at once, each on one connection and one thread.</summary>
    /// <param name="peer">Whom to.</param>
    /// <param name="image">Which.</param>
    /// <param name="clients">How many.</param>
    /// <param name="requestsPerClient">How often each.</param>
    /// <param name="isCleared">Whether what it stored is removed afterwards.</param>
    public static Round Run(Peer peer, byte[] image, int clients, int requestsPerClient, bool isCleared = true)
    {
        peer.Prepare(clients, requestsPerClient);
        peer.ResetPeak();
        var milliseconds = new double[clients * requestsPerClient];
        using var start = new Barrier(clients + 1);
        var failure = default(Exception);
        var threads = Enumerable.Range(0, clients).Select(client => new Thread(() =>
        {
            try
            {
                using var connection = new Connection(peer.Port);
                start.SignalAndWait();
                for (var i = 0; i < requestsPerClient; i++)
                {
                    var request = peer.Request(client, image);
                    var began = Stopwatch.GetTimestamp();
                    connection.Send(request);
                    connection.Receive();
                    milliseconds[(client * requestsPerClient) + i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
                }
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                failure = e;
            }
        }, 256 * 1024)).ToList();
        threads.ForEach(thread => thread.Start());
        start.SignalAndWait();
        var clock = Stopwatch.StartNew();
        var cpu = peer.CpuMilliseconds();
        threads.ForEach(thread => thread.Join());
        var seconds = clock.Elapsed.TotalSeconds;
        if (failure is not null)
            throw new IOException($"{peer.Name}: {failure.Message}", failure);

        cpu = peer.CpuMilliseconds() - cpu;
        var peak = peer.PeakMegabytes();
        if (isCleared)
            peer.Clear();
        return new Round(milliseconds.Length / seconds, Figures.Median(milliseconds), Figures.At(milliseconds, 0.99), cpu / milliseconds.Length, peak);
    }

    /// <summary>
    /// Sends all but the last bytes of one image per client, waits until every client is there, then lets all of them finish; returns the
    /// server's peak memory in MB.
    /// </summary>
    public static double AllInFlight(Peer peer, byte[] image, int clients)
    {
        peer.Prepare(clients, 1);
        peer.ResetPeak();
        using var together = new Barrier(clients);
        var failure = default(Exception);
        var threads = Enumerable.Range(0, clients).Select(client => new Thread(() =>
        {
            try
            {
                using var connection = new Connection(peer.Port);
                var pieces = peer.Request(client, image);
                var split = pieces.IndexOf(image);
                var last = image.Length - 1000;
                connection.Send([.. pieces.Take(split), new ArraySegment<byte>(image, 0, last)]);
                together.SignalAndWait();
                connection.Send([new ArraySegment<byte>(image, last, image.Length - last), .. pieces.Skip(split + 1)]);
                connection.Receive();
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                failure = e;
                together.RemoveParticipant();
            }
        }, 256 * 1024)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        if (failure is not null)
            throw new IOException($"{peer.Name}: {failure.Message}", failure);
        var peak = peer.PeakMegabytes();
        peer.Clear();
        return peak;
    }
}
