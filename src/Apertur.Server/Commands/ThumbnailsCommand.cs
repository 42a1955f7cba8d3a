using System.CommandLine;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary><c>thumbnails</c>: the images that none could be made of.</summary>
internal static class ThumbnailsCommand
{
    public static Command Create() => new("thumbnails", "The images that no thumbnail could be made of.")
    {
        UserCommand.Act("list", "Show them, and why.", [], (parsed, token) => ListAsync(UserCommand.Data(parsed), UserCommand.Json(parsed), token)),
        UserCommand.Act("retry", "Try them again when somebody asks for their thumbnails.", [], (parsed, token) =>
            RetryAsync(UserCommand.Data(parsed), UserCommand.Json(parsed), token)),
    };

    private static async Task ListAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        await using var db = folder.Database.Open();
        var failed = await db.Uploads.AsNoTracking().Where(upload => upload.ThumbnailFailure != null).OrderBy(upload => upload.CreatedAt)
            .Select(upload => new { upload.Id, upload.ProjectId, upload.MimeType, Reason = upload.ThumbnailFailure!, upload.CreatedAt })
            .ToListAsync(cancellationToken);
        DataFolder.Print(json, failed, image => [image.Id.ToString(), image.ProjectId.ToString(), image.MimeType, image.Reason]);
    }

    private static async Task RetryAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var images = await folder.Database.WriteAsync(
            db => db.Uploads.Where(upload => upload.ThumbnailFailure != null).ExecuteUpdateAsync(
                row => row.SetProperty(upload => upload.ThumbnailFailure, (string?)null).SetProperty(upload => upload.ThumbnailFailedBy, (string?)null),
                cancellationToken),
            cancellationToken);
        DataFolder.Print(json, new { images }, $"{images} images are tried again.");
    }
}
