using System.Diagnostics;
using System.Globalization;
using Apertur.Bench;
using Apertur.Bench.Deliveries;

const int Clients = 16;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is not ["--program", var program, .. var rest])
{
    Console.Error.WriteLine("Usage: deliveries --program PATH [rounds [photos [destinations]]]");
    return 1;
}

int Number(int place, int otherwise) => rest.Length > place ? int.Parse(rest[place], CultureInfo.InvariantCulture) : otherwise;
var (rounds, photos, destinations) = (Number(0, 5), Number(1, 5_000), Number(2, 1));
var folder = Path.Combine(Path.GetFullPath("artifacts"), "bench-deliveries");
if (Directory.Exists(folder))
    Directory.Delete(folder, recursive: true);
Directory.CreateDirectory(folder);
try
{
    using var receiver = new Receiver();
    using var ours = Ours.Start(Path.GetFullPath(program), folder, Environment.GetEnvironmentVariable("BENCH_POSTGRES"));
    ours.Destinations = [.. Enumerable.Range(0, destinations).Select(n => ours.Call("POST", $"/projects/{ours.Project}/destinations",
        $$$"""{"type":"webhook","name":"Receiver {{{n}}}","config":{"url":"{{{receiver.Url}}}","format":"multipart"}}""").GetProperty("id").GetString()!)];
    Console.WriteLine($"{Environment.ProcessorCount} cores, {photos} photos of 2 kB to {destinations} webhooks, default settings, everything synced");
    Console.WriteLine("round   deliveries/s    cpu ms   peak MB");
    var photo = NoiseJpeg.OfAbout(2_000);
    var figures = new List<(double PerSecond, double Cpu)>();
    // The first round only warms up.
    for (var round = 0; round <= rounds; round++)
    {
        // A session takes no destination that is switched off, and keeps one that is switched off later.
        ours.Prepare(Clients, photos / Clients);
        SwitchAll(ours, isActive: false);
        Fill(ours, photo, photos / Clients);
        var (perSecond, cpu, peak) = Drain(ours, receiver, photos / Clients * Clients * destinations);
        if (round > 0)
            figures.Add((perSecond, cpu));
        Console.WriteLine($"{(round == 0 ? "warm up" : round),7} {perSecond,12:F0} {cpu,9:F2} {peak,9:F0}");
    }

    Console.WriteLine($" median {Median(figures.Select(f => f.PerSecond)),12:F0} {Median(figures.Select(f => f.Cpu)),9:F2}");
}
catch (IOException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}
finally
{
    Directory.Delete(folder, recursive: true);
}

return 0;

static void SwitchAll(Ours ours, bool isActive)
{
    foreach (var id in ours.Destinations)
        ours.Call("PATCH", $"/projects/{ours.Project}/destinations/{id}", isActive ? """{"isActive":true}""" : """{"isActive":false}""");
}

// Photos that wait, because their destinations are switched off.
static void Fill(Ours ours, byte[] photo, int perClient)
{
    var threads = Enumerable.Range(0, Clients).Select(client => new Thread(() =>
    {
        using var connection = new Connection(ours.Port);
        for (var i = 0; i < perClient; i++)
        {
            connection.Send(ours.Request(client, photo));
            connection.Receive();
        }
    })).ToList();
    threads.ForEach(thread => thread.Start());
    threads.ForEach(thread => thread.Join());
}

// From switching them on until the last has been received.
static (double PerSecond, double Cpu, double Peak) Drain(Ours ours, Receiver receiver, int deliveries)
{
    receiver.Expect(deliveries);
    ours.ResetPeak();
    var cpu = ours.CpuMilliseconds();
    var clock = Stopwatch.StartNew();
    SwitchAll(ours, isActive: true);
    if (!receiver.AllArrived(TimeSpan.FromMinutes(5)))
        throw new IOException($"After five minutes {receiver.Left} of {deliveries} deliveries had not arrived.");
    var seconds = clock.Elapsed.TotalSeconds;
    return (deliveries / seconds, (ours.CpuMilliseconds() - cpu) / deliveries, ours.PeakMegabytes());
}

static double Median(IEnumerable<double> values)
{
    var sorted = values.Order().ToArray();
    return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
}
