using System.CommandLine;
using System.Text.Json;
using Apertur.Server.Storage;

namespace Apertur.Server.Commands;

/// <summary><c>encryption-keys rotate</c>: a new key for everything that is stored encrypted.</summary>
internal static class EncryptionKeysCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON and nothing else." };
        var rotate = new Command("rotate", "Make a new key and encrypt everything stored with it. Servers may go on running.")
        {
            CommandLine.Data, json,
        };
        rotate.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => RotateAsync(
            parsed.GetValue(CommandLine.Data)!, parsed.GetValue(json), cancellationToken)));
        var command = new Command("encryption-keys", "The keys that stored secrets are encrypted with.") { rotate };
        command.Aliases.Add("keys");
        return command;
    }

    private static async Task RotateAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var (key, done) = await new KeyRotation(folder.Database, folder.Services.GetRequiredService<ColumnEncryption>()).RunAsync(cancellationToken);
        Console.WriteLine(json ? Json(key, done) : Text(key, done));
    }

    private static string Json(Guid key, IReadOnlyList<(ProtectedColumn Column, int Texts)> done) => JsonSerializer.Serialize(
        new
        {
            key,
            columns = done.Select(entry => new { name = $"{entry.Column.Table}.{entry.Column.Column}", encrypted = entry.Texts }),
            encrypted = done.Sum(entry => entry.Texts),
        });

    private static string Text(Guid key, IReadOnlyList<(ProtectedColumn Column, int Texts)> done) =>
        $"""
        New key      {key}
        Encrypted    {done.Sum(entry => entry.Texts)} stored secrets

        The old keys stay: backups made before today need them.
        """;
}
