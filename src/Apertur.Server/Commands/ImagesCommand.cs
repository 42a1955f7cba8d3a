using System.CommandLine;
using Apertur.Server.Storage;

namespace Apertur.Server.Commands;

/// <summary><c>images claim</c>: makes a folder of images this database's.</summary>
internal static class ImagesCommand
{
    public static Command Create() => new("images", "The folder or bucket that holds the photos.")
    {
        UserCommand.Act(
            "claim", "Make the store of images this database's own, after a restore or a move. Its servers must be stopped.", [],
            (parsed, token) => ClaimAsync(UserCommand.Data(parsed), UserCommand.Json(parsed), token)),
    };

    private static async Task ClaimAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        using var held = folder.HoldLock();
        await folder.Services.GetRequiredService<ImagesOwner>().ClaimAsync(cancellationToken);
        var path = folder.Services.GetRequiredService<BlobStore>().Root;
        DataFolder.Print(json, new { claimed = path }, $"{path} belongs to this database now.");
    }
}
