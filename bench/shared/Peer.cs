using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Bench;

/// <summary>A server under measurement: its processes, and how an image is put into one request.</summary>
internal abstract class Peer : IDisposable
{
    private readonly Process _process;
    private bool _stopped;

    protected Peer(string name, int port, Process process)
    {
        (Name, Port, _process) = (name, port, process);
        // An interrupted measurement must not leave servers behind.
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Dispose();
    }

    public string Name { get; }

    public int Port { get; }

    /// <summary>Waits until it takes connections; false when it ended instead.</summary>
    public bool Listens()
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromMinutes(1);)
        {
            if (_process.WaitForExit(TimeSpan.FromMilliseconds(50)))
                return false;
            try
            {
                using var connection = new Connection(Port);
                return true;
            }
            catch (SocketException)
            {
            }
        }

        return false;
    }

    /// <summary>The request for one image, in pieces that share the image's bytes.</summary>
    public abstract IList<ArraySegment<byte>> Request(int client, byte[] image);

    /// <summary>Called before a round, outside of its time.</summary>
    public virtual void Prepare(int clients, int requestsPerClient)
    {
    }

    /// <summary>Removes the stored images, so that a long run fills no disk and neither server pays for writing back the other's.</summary>
    public abstract void Clear();

    /// <summary>Makes the kernel forget the peak, see proc(5), clear_refs.</summary>
    public void ResetPeak()
    {
        foreach (var id in Processes())
            File.WriteAllText($"/proc/{id}/clear_refs", "5");
    }

    /// <summary>Peak resident memory of all its processes since <see cref="ResetPeak"/>, in MB.</summary>
    public double PeakMegabytes() => Processes().Sum(id => File.ReadLines($"/proc/{id}/status")
        .Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Sum(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture))) / 1024;

    /// <summary>Processor time all its processes have used, user and system, in ms.</summary>
    public double CpuMilliseconds() => Processes().Sum(id =>
    {
        // Fields 14 and 15 of proc(5), stat, in ticks of 10 ms; the name in field 2 may hold spaces.
        var fields = File.ReadAllText($"/proc/{id}/stat");
        var after = fields[(fields.LastIndexOf(')') + 2)..].Split(' ');
        return 10 * (double.Parse(after[11], CultureInfo.InvariantCulture) + double.Parse(after[12], CultureInfo.InvariantCulture));
    });

    public void Dispose()
    {
        if (_stopped)
            return;
        _stopped = true;
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <param name="output">Gets every line the process prints, and null at its end.</param>
    public static Process Start(
        string file, IReadOnlyDictionary<string, string>? environment, Action<string?> output, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        var started = Process.Start(start)!;
        started.OutputDataReceived += (_, line) => output(line.Data);
        started.BeginOutputReadLine();
        return started;
    }

    /// <summary>A port for those who cannot tell which one they would get for 0.</summary>
    public static int FreePort()
    {
        using var ports = Process.Start(new ProcessStartInfo("tests/components/ports.py", "1") { RedirectStandardOutput = true })!;
        return int.Parse(ports.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture);
    }

    protected static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);

    private List<int> Processes()
    {
        // The program may be started by a shell: all its descendants count.
        var found = new List<int> { _process.Id };
        for (var i = 0; i < found.Count; i++)
            found.AddRange(Children(found[i]));
        return found;
    }

    private static List<int> Children(int process)
    {
        var found = new List<int>();
        try
        {
            foreach (var task in Directory.EnumerateDirectories($"/proc/{process}/task"))
                found.AddRange(File.ReadAllText($"{task}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
                    .Select(id => int.Parse(id, CultureInfo.InvariantCulture)));
        }
        catch (IOException)
        {
            // The process, or a thread of it, has ended since it was listed.
        }

        return found;
    }
}
