using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Apertur.Bench.Deliveries;

/// <summary>
/// BullMQ on a Redis of its own: jobs that send as many bytes to the same receiver, 64 at once, which suits it best: with 256, as many as a
/// destination of ours may have, it does fewer.
/// A job is what is sent; it knows no rows, files, signatures or attempts.
/// </summary>
internal sealed class BullMq : IDisposable
{
    private const string Script = "bench/shared/peers/bullmq.mjs";
    private const int Concurrency = 64;

    private readonly Process _redis;
    private readonly Process _worker;

    private BullMq(string folder, string receiver, bool isPersisted)
    {
        Name = isPersisted ? "persisted" : "in memory";
        var store = Path.Combine(folder, $"redis-{isPersisted}");
        Directory.CreateDirectory(store);
        var port = Peer.FreePort().ToString(CultureInfo.InvariantCulture);
        string[] keeps = isPersisted ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
        _redis = Start("redis-server", ["--bind", "127.0.0.1", "--port", port, "--dir", store, "--save", "", .. keeps]);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Dispose();
        while (!Accepts(int.Parse(port, CultureInfo.InvariantCulture)))
            Figures.Pause(TimeSpan.FromMilliseconds(50));
        _worker = Start("node", [Script, port, receiver, Concurrency.ToString(CultureInfo.InvariantCulture)]);
    }

    /// <summary>One whose Redis syncs each change before it answers, and one that keeps nothing on disk; none where <c>bench/run</c> could not install them.</summary>
    /// <param name="folder">For what Redis keeps.</param>
    /// <param name="receiver">Where jobs send to.</param>
    public static IReadOnlyList<BullMq> Start(string folder, string receiver) =>
        IsInstalled ? [new(folder, receiver, isPersisted: true), new(folder, receiver, isPersisted: false)] : [];

    private static bool IsInstalled => Directory.Exists("bench/shared/peers/node_modules")
        && Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(path => File.Exists(Path.Combine(path, "redis-server")));

    public string Name { get; }

    /// <summary>Adds so many jobs, and then works them off.</summary>
    /// <returns>How many a second.</returns>
    public double Run(int jobs)
    {
        _worker.StandardInput.WriteLine(jobs.ToString(CultureInfo.InvariantCulture));
        _worker.StandardInput.Flush();
        return _worker.StandardOutput.ReadLine() is { } milliseconds
            ? jobs / (double.Parse(milliseconds, CultureInfo.InvariantCulture) / 1000)
            : throw new IOException("BullMQ ended; what it said is above.");
    }

    public void Dispose()
    {
        foreach (var process in new[] { _worker, _redis })
        {
            if (process is { HasExited: false })
                process.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(string file, string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        if (file != "node")
            process.BeginOutputReadLine();
        return process;
    }

    private bool Accepts(int port)
    {
        if (_redis.HasExited)
            throw new IOException("Redis does not start.");
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
