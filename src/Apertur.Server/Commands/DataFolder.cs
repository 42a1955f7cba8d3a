using System.Text.Json;
using Apertur.Server.Backups;
using Apertur.Server.Storage;

namespace Apertur.Server.Commands;

/// <summary>A data folder as commands use it: beside a server that may be running on it.</summary>
internal sealed class DataFolder : IAsyncDisposable
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { Converters = { new Http.InstantJson() } };

    private readonly ServiceProvider _services;

    private DataFolder(ServiceProvider services) => _services = services;

    public IServiceProvider Services => _services;

    public Database Database => _services.GetRequiredService<Database>();

    public DateTimeOffset Now => _services.GetRequiredService<TimeProvider>().GetUtcNow();

    /// <summary>Where people reach the server, as far as the settings say.</summary>
    public string BaseUrl => PublicAddress.LastOf(_services.GetRequiredService<Settings>());

    /// <summary>Keeps servers from starting here until the result is disposed, where one could be kept: with SQLite.</summary>
    /// <exception cref="InvalidOperationException">A server is running.</exception>
    public IDisposable? HoldLock() => Database.IsSqlite ? DataLock.Take(_services.GetRequiredService<Settings>().DataFolder) : null;

    /// <summary>Opens what is there, as it is.</summary>
    /// <exception cref="CommandException">Nothing is: the folder was misspelt, and must not be made.</exception>
    /// <exception cref="InvalidOperationException">There is no database, or another version's.</exception>
    public static async Task<DataFolder> OpenAsync(string path, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Path.Combine(path, "keys")) && Settings.Load(path).Keys.Place != KeysPlace.Database)
        {
            throw new CommandException(
                $"There is no installation in {Path.GetFullPath(path)}: it has no keys. Make one with 'init' or 'serve'.");
        }

        var folder = OpenEmpty(path);
        // To open a SQLite database is to make it.
        if (folder.Database.IsSqlite && SqliteCopy.IsFree(folder.Services.GetRequiredService<Settings>()))
            throw new CommandException(Migrator.NoDatabase);
        await Migrator.AssertUpToDateAsync(folder.Database, cancellationToken);
        return folder;
    }

    /// <summary>Opens what is there, and makes or brings up to date what has to be there, as a server does.</summary>
    public static async Task<DataFolder> OpenOrMakeAsync(string path, CancellationToken cancellationToken)
    {
        var folder = OpenEmpty(path);
        await Migrator.RunAsync(folder.Database, cancellationToken);
        return folder;
    }

    /// <summary>Opens a folder whose database is yet to come.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="overrides">Settings over those that are there.</param>
    public static DataFolder OpenEmpty(string path, params IEnumerable<KeyValuePair<string, string?>> overrides)
    {
        var services = new ServiceCollection().AddLogging();
        AperturServer.AddStorage(services, Settings.Load(path, overrides));
        return new DataFolder(services.BuildServiceProvider());
    }

    /// <summary>Prints rows: as a JSON array, or as lines of columns.</summary>
    public static void Print<T>(bool json, IReadOnlyList<T> rows, Func<T, string[]> columns)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(rows, _json));
            return;
        }

        var lines = rows.Select(columns).ToList();
        var widths = lines.Count == 0 ? [] : Enumerable.Range(0, lines[0].Length).Select(i => lines.Max(line => line[i].Length)).ToArray();
        foreach (var line in lines)
            Console.WriteLine(string.Join("  ", line.Select((text, i) => text.PadRight(widths[i]))).TrimEnd());
    }

    /// <summary>Prints one thing: as a JSON object, or in words.</summary>
    public static void Print<T>(bool json, T thing, string text) => Console.WriteLine(json ? JsonSerializer.Serialize(thing, _json) : text);

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
