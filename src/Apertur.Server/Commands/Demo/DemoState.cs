using System.Security.Cryptography;
using System.Text.Json;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands.Demo;

/// <summary>
/// What the demo remembers between starts, in <c>demo.json</c> in its data folder. Keys stand there in the clear, so that they can be shown
/// again: a real installation never keeps them.
/// </summary>
internal sealed record DemoState(string Email, string Password, string ProjectId, string Key, string InboxSecret)
{
    /// <summary>The destination that points to the inbox; null until it has been made.</summary>
    public string? DestinationId { get; init; }

    /// <summary>The session shown last; null until there is one.</summary>
    public string? SessionId { get; init; }

    /// <summary>Reads the state of an earlier start, or makes an owner, a project and a key.</summary>
    /// <exception cref="CommandException">The folder holds an installation that is not a demo.</exception>
    public static async Task<DemoState> OpenAsync(IServiceProvider services, string dataFolder, CancellationToken cancellationToken)
    {
        var database = services.GetRequiredService<Database>();
        await Migrator.RunAsync(database, cancellationToken);
        await using (var db = database.Open())
        {
            if (await db.Users.AnyAsync(cancellationToken))
                return await ReadAsync(dataFolder, cancellationToken);
        }

        const string Email = "demo@example.com";
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        DemoState? state = null;
        // Saved first: an owner without it would be an installation that nobody has the keys of. It without an owner is replaced.
        await Installation.CreateAsync(
            services, Email, Installation.HashOf(password), "Demo",
            made =>
            {
                state = new DemoState(Email, password, made.Project.Id.ToString(), made.LiveKey, ColumnEncryption.Generate());
                state.Save(dataFolder);
            },
            cancellationToken);
        return state!;
    }

    public void Save(string dataFolder) => DurableFile.Write(PathIn(dataFolder), JsonSerializer.SerializeToUtf8Bytes(this));

    private static async Task<DemoState> ReadAsync(string dataFolder, CancellationToken cancellationToken)
    {
        var path = PathIn(dataFolder);
        if (!File.Exists(path))
        {
            throw new CommandException(
                $"{dataFolder} holds an installation that is not a demo. Start it with './run serve --data {dataFolder}', or name another folder with --data.");
        }

        try
        {
            await using var file = File.OpenRead(path);
            return (await JsonSerializer.DeserializeAsync<DemoState>(file, cancellationToken: cancellationToken))!;
        }
        catch (JsonException)
        {
            throw new CommandException($"{path} cannot be read. Delete {dataFolder} to begin anew.");
        }
    }

    private static string PathIn(string dataFolder) => Path.Combine(dataFolder, "demo.json");
}
