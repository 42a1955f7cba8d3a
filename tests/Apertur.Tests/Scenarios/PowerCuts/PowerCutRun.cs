using System.Globalization;
using Apertur.Tests.Support;
using Xunit.Sdk;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>
/// Installations one after another, each on disks of its own: every kind of work is begun and the power of one machine is cut somewhere in it; then
/// what ran there is started on what the disk has, and every promise must be kept.
/// </summary>
/// <param name="output">Hears what was done.</param>
/// <param name="seed">Decides the moments and the machines, as far as a machine repeats itself.</param>
/// <param name="install">Makes an installation on that file system.</param>
internal sealed class PowerCutRun(ITestOutputHelper output, int seed, Func<string, Task<Installed>> install)
{
    // A request that the server is just answering may still be answered wrongly.
    private static readonly TimeSpan _beforeTheEnd = TimeSpan.FromMilliseconds(50);

    // A minute, and what it takes then: other servers cannot know earlier that one will not go on.
    private static readonly TimeSpan _takeover = TimeSpan.FromSeconds(90);

    private readonly Random _random = new(seed);
    private readonly List<(string Work, string Machine)> _cuts = [];
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
                $"> Seed {seed}, {Taken().TotalSeconds:F0} s: power was cut {_cuts.Count} times ({Counts(cut => cut.Machine)}; {Counts(cut => cut.Work)}). "
                + $"{_photos} photos were acknowledged and stayed, compared {_compared} times; {_delivered} deliveries ended; "
                + $"{_values} encrypted or signed values read back; thumbnails: {_whole} whole."));
        }
    }

    private async Task LiveAsync(string fileSystem, Work[] works, int cuts)
    {
        await using var at = await install(fileSystem);
        _random.Shuffle(works);
        foreach (var work in works.Prepend(Work.FirstStart))
        {
            if (_cuts.Count == cuts)
                break;
            at.Victim = at.Machines[_random.Next(at.Machines.Count)];
            _cuts.Add((work.Name, at.Victim.Name));
            await CutAsync(work, at);
            var broken = await RestartAsync(at);
            // It made its owner and could not print the keys: nobody can go on.
            if (broken.Count == 0 && !at.IsPromised)
                return;
            if (broken.Count == 0)
                broken = await BrokenAsync(at);
            Assert.True(broken.Count == 0, $"After power of the {at.Victim.Name} was cut in '{work.Name}':\n" + string.Join('\n', broken));
        }

        await DeliveredAsync(at);
        _photos += at.Promises.Photos;
    }

    /// <summary>Every second cut comes when the work was just acknowledged: that is what a server which does not sync cannot keep.</summary>
    private async Task CutAsync(Work work, Installed at)
    {
        var done = work.RunAsync(at);
        var moment = work.Longest * (_random.Next(2) == 0 ? _random.NextDouble() : 5);
        await Task.WhenAny(done, Task.Delay(moment, TimeProvider.System, TestContext.Current.CancellationToken));
        // A failure of its own, cancelled or thrown, is none of the cut.
        if (done.IsCompleted)
            await done;

        at.Victim.Disk.Cut();
        await Task.Delay(_beforeTheEnd, TimeProvider.System, TestContext.Current.CancellationToken);
        await at.Victim.KillAsync();
        await Eventually.Arrives(done.ContinueWith(_ => { }, TaskScheduler.Default));
        // It may have started another program meanwhile.
        await at.Victim.KillAsync();
        await at.Victim.Disk.RestoreAsync();
    }

    /// <returns>In words, why not; nothing when all run again.</returns>
    private static async Task<IReadOnlyList<string>> RestartAsync(Installed at)
    {
        try
        {
            if (at.Victim is DatabaseMachine database)
                await database.RecoverAsync();
            // What was cut off can be done again.
            if (!at.IsPromised)
                await at.InitAsync();
            await at.ServeAsync();
            if (at.IsPromised && at.Destination.Length == 0)
            {
                await at.SignInAsync();
                await at.KeepSecretsAsync();
            }

            return [];
        }
        catch (Exception failure) when (failure is InvalidOperationException or XunitException)
        {
            return [$"it does not start: {failure.Message}"];
        }
    }

    private async Task<IReadOnlyList<string>> BrokenAsync(Installed at)
    {
        // With the token from before, which server-secret signed.
        var promises = await at.Promises.BrokenAsync(at.Owner);
        var (whole, thumbnails) = await at.Promises.ThumbnailsAsync(at.Owner, most: 5);
        (_whole, _compared, _values) = (_whole + whole, _compared + at.Promises.Photos, _values + at.Promises.Values);
        return [.. promises, .. thumbnails];
    }

    private async Task DeliveredAsync(Installed at)
    {
        await Eventually.Becomes(
            () => Promises.UndeliveredAsync(at.Owner), open => open == 0, "every photo is delivered", bound: _takeover);
        _delivered += at.Promises.Photos;
    }

    private string Counts(Func<(string Work, string Machine), string> kind) =>
        string.Join(", ", _cuts.CountBy(kind).Select(count => $"{count.Key} {count.Value}"));
}
