using System.CommandLine;
using System.Globalization;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;

namespace Apertur.Server.Commands;

/// <summary><c>blobs move</c>: brings the photos from the folder to the object store, or back.</summary>
internal static class BlobsCommand
{
    public static Command Create()
    {
        var to = new Option<string>("--to") { Description = "folder or s3.", Required = true };
        to.AcceptOnlyFromAmong("folder", "s3");
        var remove = new Option<bool>("--remove") { Description = "Remove from the old place what is in the new one." };
        return new("blobs", "The places that the photos are in.")
        {
            UserCommand.Act(
                "move", "Copy every photo to the other place, and compare it. Servers may go on running; run it again to go on.", [to, remove],
                (parsed, token) => MoveAsync(
                    UserCommand.Data(parsed), parsed.GetValue(to) == "s3" ? StorageKind.S3 : StorageKind.Folder, parsed.GetValue(remove),
                    UserCommand.Json(parsed), token)),
        };
    }

    private static async Task MoveAsync(string data, StorageKind kind, bool remove, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var settings = folder.Services.GetRequiredService<Settings>();
        if (!settings.Storage.HasS3)
            throw new CommandException("Storage:S3 in apertur.json has to name the bucket, and who may use it.");
        using var from = AperturServer.OpenBlobs(settings, kind == StorageKind.S3 ? StorageKind.Folder : StorageKind.S3);
        using var to = AperturServer.OpenBlobs(settings, kind);
        var owner = folder.Services.GetRequiredService<ImagesOwner>();
        if (!await owner.HoldsAsync(from, cancellationToken))
            throw new CommandException($"{from.Root} does not belong to this database: see 'images claim'. Nothing was moved.");
        await owner.ExtendAsync(to, cancellationToken);
        if (remove && settings.Storage.Kind != kind)
            throw new CommandException("--remove is for later: Storage:Kind still names the place that the photos would be removed from.");

        var move = new BlobMove(folder.Database, from, to, folder.Services.GetRequiredService<TimeProvider>());
        var report = await move.RunAsync(remove, made => Console.Error.WriteLine(Text(made)), cancellationToken);
        DataFolder.Print(json, report, $"{from.Root} to {to.Root}: {Text(report)}.");
        if (report.Damaged.Count > 0)
            throw new CommandException($"Not what was received, and left where they are: {string.Join(", ", report.Damaged)}. 'fsck' says more.");
    }

    private static string Text(BlobMoveReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.Copied} copied ({report.CopiedBytes / 1e6:0.0} MB), {report.AlreadyThere} there already, {report.Removed} removed, {report.Damaged.Count} damaged");
}
