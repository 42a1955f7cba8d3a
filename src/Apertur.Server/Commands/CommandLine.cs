using System.CommandLine;
using System.Net.Sockets;
using Apertur.Server.Projects;

namespace Apertur.Server.Commands;

/// <summary>What this program can be told to do.</summary>
internal static class CommandLine
{
    public static RootCommand Create() => new("Apertur collects photos from phones and delivers them.")
    {
        DemoCommand.Create(),
        ServeCommand.Create(),
        InitCommand.Create(),
        FsckCommand.Create(),
        BackupCommand.Create(),
        RestoreCommand.Create(),
        ImagesCommand.Create(),
        BlobsCommand.Create(),
        DatabaseCommand.Create(),
        UserCommand.Create(),
        ProjectCommand.Create(),
        ApiKeyCommand.Create(),
        EncryptionKeysCommand.Create(),
        ThumbnailsCommand.Create(),
        ReplayCommand.Create(),
    };

    /// <summary>The option that every command has.</summary>
    public static Option<string> Data { get; } = new("--data")
    {
        Description = "The folder that holds images, keys and, with SQLite, the database.",
        DefaultValueFactory = _ => "data",
        Recursive = true,
    };

    /// <summary>For programs that read what a command prints.</summary>
    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON and nothing else." };

    /// <summary>Runs a command's work, and turns what goes wrong for a known reason into one line and exit code 1.</summary>
    /// <param name="work">The work.</param>
    /// <param name="fileFailure">What it means when a file or folder cannot be used.</param>
    public static async Task<int> RunAsync(Func<Task> work, string fileFailure = "The data folder cannot be used")
    {
        try
        {
            await work();
            return 0;
        }
        catch (Exception exception) when (exception is CommandException or InstallationException)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return 1;
        }
        catch (InvalidOperationException exception) when (exception.Source == typeof(CommandLine).Assembly.GetName().Name)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return 1;
        }
        catch (IOException exception) when (exception.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            await Console.Error.WriteLineAsync($"{exception.Message} Stop the other program, or choose another address.");
            return 1;
        }
        catch (SocketException exception)
        {
            await Console.Error.WriteLineAsync($"The server cannot listen on that address: {exception.Message}.");
            return 1;
        }
        catch (Exception exception) when (Storage.Database.FailureIn(exception) is not null)
        {
            await Console.Error.WriteLineAsync($"The database cannot be used: {Storage.Database.FailureIn(exception)!.Message}");
            return 1;
        }
        catch (Blobs.ObjectStoreException exception)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return 1;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"{fileFailure}: {exception.Message}");
            return 1;
        }
    }
}

/// <summary>A command cannot do what it was asked to; the message says why and what to do.</summary>
internal sealed class CommandException(string message) : Exception(message);
