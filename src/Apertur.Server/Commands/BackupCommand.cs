using System.CommandLine;
using System.Globalization;
using Apertur.Server.Backups;

namespace Apertur.Server.Commands;

/// <summary><c>backup</c>: copies database, photos and keys beside running servers, and verifies such copies.</summary>
internal static class BackupCommand
{
    public static Command Create()
    {
        var path = new Argument<string>("dir") { Description = "A folder of backups, made when missing. With --verify also one backup in it." };
        var verify = new Option<bool>("--verify") { Description = "Make none, but read the newest one there and compare every file of it." };
        var withoutPhotos = new Option<bool>("--without-photos") { Description = "Leave the photos to other means, such as those of an object store." };
        var withoutKeys = new Option<bool>("--without-keys") { Description = "Leave keys/ and apertur.json out, to keep them apart." };
        var keep = new Option<int?>("--keep") { Description = "How many backups stay there; older ones go when this one is complete." };
        keep.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() < 1)
                result.AddError("--keep must be at least 1.");
        });
        var command = new Command("backup", "Copy database, photos and keys. Servers may go on running.")
        {
            path, CommandLine.Data, CommandLine.Json, verify, withoutPhotos, withoutKeys, keep,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var isFaulty = false;
            var code = await CommandLine.RunAsync(async () => isFaulty = parsed.GetValue(verify)
                ? await VerifyAsync(parsed.GetValue(path)!, UserCommand.Json(parsed), cancellationToken)
                : await RunAsync(
                    UserCommand.Data(parsed), parsed.GetValue(path)!, !parsed.GetValue(withoutPhotos), !parsed.GetValue(withoutKeys),
                    parsed.GetValue(keep), UserCommand.Json(parsed), cancellationToken), "The backup cannot be made or read");
            return code == 0 && isFaulty ? FsckCommand.Faulty : code;
        });
        return command;
    }

    private static async Task<bool> RunAsync(
        string data, string path, bool withPhotos, bool withKeys, int? keep, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        using var backups = BackupFolder.Open(path);
        var made = await folder.Services.GetRequiredService<Backup>().RunAsync(backups, withPhotos, withKeys, cancellationToken);
        var removed = keep is { } number ? await backups.RemoveOldAsync(number, made.Path, cancellationToken) : 0;
        if (backups.After(made.Path) is { Count: > 0 } ahead)
        {
            await Console.Error.WriteLineAsync(
                $"Named by a time that is yet to come, as when the clock was wrong: {string.Join(", ", ahead)}. 'restore' and '--verify' take the last of "
                + "them for the newest unless you name another. Remove them, or give them names of the past.");
        }

        DataFolder.Print(
            json, new { made.Path, made.Photos, made.Copied, made.CopiedBytes, made.Deleted, made.Damaged, made.HasKeys, Removed = removed },
            Text(made, withKeys, removed));
        return made.Damaged.Count > 0;
    }

    private static async Task<bool> VerifyAsync(string path, bool json, CancellationToken cancellationToken)
    {
        var backup = BackupContent.Find(path);
        var damaged = await backup.FindDamageAsync(_ => true, cancellationToken);
        var setAside = backup.SetAside(damaged);
        DataFolder.Print(
            json,
            new { backup.Path, backup.About.MadeAt, backup.About.Photos, Damaged = damaged, SetAside = setAside },
            damaged.Count == 0
                ? $"{backup.Path} is complete: every file is what was backed up."
                : $"{backup.Path}: {damaged.Count} files are missing or damaged:\n  {string.Join("\n  ", damaged)}"
                    + (setAside == 0 ? "" : $"\n{setAside} of them are photos, and were renamed to *.damaged: the next backup copies them again."));
        return damaged.Count > 0;
    }

    private static string Text(BackupReport made, bool withKeys, int removed)
    {
        var lines = new List<string> { made.Path };
        lines.Add(made.Photos is { } photos
            ? string.Create(CultureInfo.InvariantCulture, $"{photos} photos, of which {made.Copied} ({made.CopiedBytes / 1e6:0.0} MB) are new in this folder.")
            : "Without the photos.");
        lines.Add(made.HasKeys ? "With the keys: who can read it can read every stored secret."
            : withKeys ? "The keys are wrapped in its database: keep a copy of the wrapping key elsewhere."
            : "Without the keys: keep a copy of them elsewhere.");
        if (made.Damaged.Count > 0)
            lines.Add($"Not in it, because they are missing or not what was received: {string.Join(", ", made.Damaged)}. 'fsck' says more.");
        if (removed > 0)
            lines.Add($"{removed} older backups were removed.");
        return string.Join(Environment.NewLine, lines);
    }
}
