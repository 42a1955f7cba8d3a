using System.Globalization;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>
/// Installations one after another, each on a disk of its own: every kind of work is begun and power is cut somewhere in it; then the
/// server is started on what the disk has, and must keep every promise.
/// </summary>
/// <param name="output">Hears what was done.</param>
/// <param name="seed">Decides the moments, as far as a machine repeats itself.</param>
/// <param name="launcher">See <see cref="Installed"/>.</param>
internal sealed class PowerCutRun(ITestOutputHelper output, int seed, params IReadOnlyList<string> launcher)
{
    // A request that the server is just answering may still be answered wrongly.
    private static readonly TimeSpan _beforeTheEnd = TimeSpan.FromMilliseconds(50);

    private readonly Random _random = new(seed);
    private readonly List<(string Work, string FileSystem)> _cuts = [];
    private int _photos;
    private int _compared;
    private int _values;
    private int _delivered;
    private int _whole;

    /// <param name="cuts">After this many it ends.</param>
    /// <param name="limit">After this time it ends too.</param>
    /// <param name="works">What is done in each life, in any order, after the first start.</param>
    /// <param name="fileSystems">Taken by turns.</param>
    public async Task RunAsync(int cuts, TimeSpan limit, IReadOnlyList<Work> works, params string[] fileSystems)
    {
        var started = TimeProvider.System.GetTimestamp();
        TimeSpan Taken() => TimeProvider.System.GetElapsedTime(started);
        try
        {
            for (var life = 0; _cuts.Count < cuts && Taken() < limit; life++)
                await LiveAsync(fileSystems[life % fileSystems.Length], [.. works], cuts);
        }
        finally
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"> Seed {seed}, {Taken().TotalSeconds:F0} s: power was cut {_cuts.Count} times ({Counts(cut => cut.FileSystem)}; {Counts(cut => cut.Work)}). "
                + $"{_photos} photos were acknowledged and stayed, compared {_compared} times; {_delivered} deliveries ended; "
                + $"{_values} encrypted or signed values read back; thumbnails: {_whole} whole."));
        }
    }

    private async Task LiveAsync(string fileSystem, Work[] works, int cuts)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        await using var at = new Installed(await LoopDisk.MakeAsync(fileSystem), launcher, receiver);
        _random.Shuffle(works);
        foreach (var work in works.Prepend(Work.FirstStart))
        {
            if (_cuts.Count == cuts)
                break;
            await CutAsync(work, at);
            await RestartAsync(work, at);
            // It made its owner and could not print the keys: nobody can go on.
            if (!at.IsPromised)
                return;
            await CheckAsync(work, at);
        }

        await DeliveredAsync(at);
        _photos += at.Promises.Photos;
    }

    /// <summary>Every second cut comes when the work was just acknowledged: that is what a server which does not sync cannot keep.</summary>
    private async Task CutAsync(Work work, Installed at)
    {
        _cuts.Add((work.Name, at.Disk.FileSystem));
        var done = work.RunAsync(at);
        var moment = work.Longest * (_random.Next(2) == 0 ? _random.NextDouble() : 5);
        await Task.WhenAny(done, Task.Delay(moment, TimeProvider.System, TestContext.Current.CancellationToken));
        // A failure of its own, cancelled or thrown, is none of the cut.
        if (done.IsCompleted)
            await done;

        at.Disk.Cut();
        await Task.Delay(_beforeTheEnd, TimeProvider.System, TestContext.Current.CancellationToken);
        await at.KillAsync();
        await Eventually.Arrives(done.ContinueWith(_ => { }, TaskScheduler.Default));
        // It may have started another program meanwhile.
        await at.KillAsync();
        await at.Disk.RestoreAsync();
    }

    private static async Task RestartAsync(Work work, Installed at)
    {
        try
        {
            // What was cut off can be done again.
            if (!at.IsPromised)
                await at.InitAsync();
            await at.ServeAsync();
            if (!at.IsPromised)
                return;
            if (work == Work.FirstStart && at.Destination.Length == 0)
            {
                await at.SignInAsync();
                await at.KeepSecretsAsync();
            }
        }
        catch (InvalidOperationException failure)
        {
            Fail(work, at, [$"the server does not start: {failure.Message}"]);
        }
    }

    private async Task CheckAsync(Work work, Installed at)
    {
        // With the token from before, which server-secret signed.
        Fail(work, at, await at.Promises.BrokenAsync(at.Owner));
        var (whole, broken) = await at.Promises.ThumbnailsAsync(at.Owner, most: 5);
        Fail(work, at, broken);
        (_whole, _compared, _values) = (_whole + whole, _compared + at.Promises.Photos, _values + at.Promises.Values);
    }

    private async Task DeliveredAsync(Installed at)
    {
        await Eventually.Becomes(() => Promises.UndeliveredAsync(at.Owner), open => open == 0, "every photo is delivered");
        _delivered += at.Promises.Photos;
    }

    private string Counts(Func<(string Work, string FileSystem), string> kind) =>
        string.Join(", ", _cuts.CountBy(kind).Select(count => $"{count.Key} {count.Value}"));

    private static void Fail(Work work, Installed at, IReadOnlyList<string> broken) => Assert.True(
        broken.Count == 0,
        $"After power was cut on {at.Disk.FileSystem} in '{work.Name}':\n" + string.Join('\n', broken));
}
