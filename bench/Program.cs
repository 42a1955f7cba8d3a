using System.Globalization;
using Apertur.Bench;
using Apertur.Bench.BytesOut;
using Apertur.Bench.Deliveries;
using Apertur.Bench.Ingest;
using Apertur.Bench.Latency;
using Apertur.Bench.Nodes;
using Apertur.Bench.Reads;
using Apertur.Bench.Start;
using Apertur.Bench.Waiters;

Question[] questions =
[
    new("ingest", "How fast photos are taken in, against other servers and what the disk allows.", IngestBench.Run,
        [new("rounds", 5, 1), new("requests", 15, 1), new("megabytes", 20, 1), new("clear", 1, 1)]),
    new("deliveries", "How fast what waits is delivered, against BullMQ.", DeliveriesBench.Run,
        [new("rounds", 5, 1), new("photos", 5_000, 16), new("destinations", 1, 1)]),
    new("latency", "How long after its 201 a photo reaches its webhook.", LatencyBench.Run, [new("photos", 1_000, 5), new("draining", 0, 16)]),
    new("nodes", "How soon other nodes notice a photo that one of them takes.", NodesBench.Run, [new("photos", 300, 2)]),
    new("reads", "Whether lists and statistics cost the same however many photos there are.", ReadsBench.Run,
        [new("rounds", 50, 1), new("few", 10_000, 40), new("many", 1_000_000, 100)]),
    new("waiters", "How soon those who wait are told, and what waiting costs.", WaitersBench.Run,
        [new("rounds", 5, 1), new("polls", 1_000, 20), new("streams", 2_000, 40), new("seconds", 60, 1)]),
    new("bytes-out", "How fast bytes go out, against a plain loop that sends the same files.", BytesOutBench.Run,
        [new("rounds", 5, 1), new("photos", 100, 4)]),
    new("start", "How long a start takes, and the first photo after it.", StartBench.Run, [new("rounds", 10, 1)]),
];

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is not ["--program", var program, .. var rest])
    return Help();

var isSmall = rest is ["--small"];
var chosen = rest is [var name, ..] && !isSmall ? questions.Where(question => question.Name == name).ToArray() : questions;
var given = isSmall ? [] : rest.Skip(1).ToArray();
if (chosen.Length == 0 || given.Length % 2 != 0)
    return Help();
var folder = Path.Combine(Path.GetFullPath("artifacts"), $"bench-{Environment.ProcessId}");
try
{
    foreach (var question in chosen)
    {
        var options = question.Options.ToDictionary(option => option.Name, option => isSmall ? option.Small : option.Default);
        for (var i = 0; i < given.Length; i += 2)
        {
            var option = given[i].TrimStart('-');
            if (!options.ContainsKey(option) || !int.TryParse(given[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var value))
                return Help();
            options[option] = value;
        }

        Directory.CreateDirectory(folder);
        Console.WriteLine($"{question.Name}: {question.About} {Environment.ProcessorCount} cores, "
            + string.Join(", ", options.Select(option => $"{option.Key} {option.Value}")));
        question.Run(new Setup(Path.GetFullPath(program), folder, options));
        Console.WriteLine();
        Directory.Delete(folder, recursive: true);
    }
}
catch (IOException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}
finally
{
    if (Directory.Exists(folder))
        Directory.Delete(folder, recursive: true);
}

return 0;

int Help()
{
    Console.Error.WriteLine("Usage: bench/run [QUESTION [--OPTION N]...]; without a question all of them, one after the other; --small only shows that they work.");
    foreach (var question in questions)
    {
        Console.Error.WriteLine($"  {question.Name,-11} {question.About}");
        Console.Error.WriteLine($"  {"",-11} {string.Join(" ", question.Options.Select(option => $"--{option.Name} {option.Default}"))}");
    }

    return 2;
}
