using System.CommandLine;
using Apertur.Server.Backups;

namespace Apertur.Server.Commands;

/// <summary><c>restore</c>: puts a backup in the place of an installation that is not there.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var path = new Argument<string>("backup") { Description = "A backup, or a folder of backups of which the newest is taken." };
        var existing = new Option<bool>("--existing-photos")
        {
            Description = "There may be photos already, as in an object store that was not lost: they stay, and those that are missing come from the backup.",
        };
        var command = new Command("restore", "Put a backup where nothing is yet, and compare it as 'fsck' does.")
        {
            path, CommandLine.Data, CommandLine.Json, existing,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var isFaulty = false;
            var code = await CommandLine.RunAsync(async () => isFaulty = await RunAsync(
                UserCommand.Data(parsed), parsed.GetValue(path)!, parsed.GetValue(existing), UserCommand.Json(parsed), cancellationToken), "It cannot be restored");
            return code == 0 && isFaulty ? FsckCommand.Faulty : code;
        });
        return command;
    }

    private static async Task<bool> RunAsync(string data, string path, bool existing, bool json, CancellationToken cancellationToken)
    {
        var backup = BackupContent.Find(path);
        await using var folder = DataFolder.OpenEmpty(data);
        using var held = folder.HoldLock();
        var restored = await folder.Services.GetRequiredService<Restore>().RunAsync(backup, existing, cancellationToken);
        var found = await FsckCommand.RunAsync(folder, cancellationToken);
        DataFolder.Print(
            json,
            new { restored.Path, restored.MadeAt, restored.Photos, restored.AlreadyThere, restored.Damaged, Fsck = found.Json },
            $"""
            {restored.Path}, made {Http.InstantJson.Format(restored.MadeAt)}, is restored.
            {restored.Photos} photos were put in place, and {restored.AlreadyThere} were there already.
            {(restored.Damaged.Count == 0 ? "" : $"Damaged in the backup: {string.Join(", ", restored.Damaged)}.{Environment.NewLine}")}{found.Text}
            """);
        return found.IsFaulty || restored.Damaged.Count > 0;
    }
}
