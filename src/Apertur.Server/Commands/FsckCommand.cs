using System.CommandLine;
using System.Globalization;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary><c>fsck</c>: compares photos with their files, and adopts photos that no row names.</summary>
internal static class FsckCommand
{
    /// <summary>The exit code when a photo is missing or damaged.</summary>
    private const int Faulty = 2;

    // No upload goes so long without a byte: what is younger may still be coming in.
    private static readonly TimeSpan _quiet = TimeSpan.FromMinutes(15);

    public static Command Create()
    {
        var hashes = new Option<bool>("--hashes") { Description = "Compare the SHA-256 of every photo, which reads every file." };
        var adopt = new Option<bool>("--adopt") { Description = "Give photos that no row names a session of their own in --project." };
        var project = new Option<string?>("--project") { Description = "The id of the project that adopts." };
        var destination = new Option<string[]>("--destination")
        {
            Description = "The id of a destination of that project to deliver the adopted photos to. May be given several times.",
            DefaultValueFactory = _ => [],
        };
        var env = new Option<string>("--env") { Description = "live or test.", DefaultValueFactory = _ => "live" };
        env.AcceptOnlyFromAmong("live", "test");
        var stopped = new Option<bool>("--stopped") { Description = "All servers are stopped: adopt what was written just now, too." };
        var command = new Command("fsck", "Compare photos with their files. Servers may go on running.")
        {
            CommandLine.Data, CommandLine.Json, hashes, adopt, project, destination, env, stopped,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var adoption = parsed.GetValue(adopt)
                ? new AdoptionOrder(parsed.GetValue(project), parsed.GetValue(destination)!, EnumNames.Parse<Env>(parsed.GetValue(env))!.Value, parsed.GetValue(stopped))
                : null;
            var faulty = false;
            var code = await CommandLine.RunAsync(async () => faulty = await RunAsync(
                UserCommand.Data(parsed), parsed.GetValue(hashes), adoption, UserCommand.Json(parsed), cancellationToken));
            return code == 0 && faulty ? Faulty : code;
        });
        return command;
    }

    /// <returns>Whether a photo is missing or damaged.</returns>
    private static async Task<bool> RunAsync(string data, bool hashes, AdoptionOrder? order, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        using var held = order is { Stopped: true } ? folder.HoldLock() : null;
        var settings = folder.Services.GetRequiredService<Settings>();
        var report = await folder.Services.GetRequiredService<StorageCheck>().RunAsync(hashes, cancellationToken);
        var outcome = order is null ? null : await AdoptAsync(folder, order, report.Orphaned, cancellationToken);
        var adopted = outcome?.SelectMany(made => made.Photos).ToHashSet() ?? [];
        var orphaned = report.Orphaned.Where(file => !adopted.Contains(file.Id)).ToList();
        DataFolder.Print(
            json,
            new
            {
                report.Photos,
                HashesCompared = hashes,
                Damaged = report.Damaged.Select(photo => new
                {
                    photo.Upload.Id,
                    photo.Upload.ProjectId,
                    photo.Upload.SessionId,
                    photo.Upload.Filename,
                    photo.Upload.SizeBytes,
                    photo.Upload.Sha256,
                    photo.Upload.CreatedAt,
                    Damage = photo.Fault.WireName(),
                }),
                Orphaned = orphaned.Select(file => new
                {
                    file.Id,
                    file.Path,
                    file.SizeBytes,
                    file.MimeType,
                    file.Sha256,
                    file.WrittenAt,
                    file.QuarantinedOn,
                    KeptUntil = file.QuarantinedOn?.AddDays(settings.Storage.QuarantineDays),
                }),
                Adopted = outcome?.Select(made => new { SessionId = made.Session, made.Photos }),
            },
            Text(report, hashes, orphaned, outcome, settings.Storage.QuarantineDays));
        return report.Damaged.Count > 0;
    }

    private static async Task<IReadOnlyList<(Guid Session, IReadOnlyList<Guid> Photos)>> AdoptAsync(
        DataFolder folder, AdoptionOrder order, IReadOnlyList<OrphanedFile> files, CancellationToken cancellationToken)
    {
        if (!await folder.Services.GetRequiredService<ImagesOwner>().HoldsAsync(cancellationToken))
            throw new CommandException("The folder of images does not belong to this database: see 'images claim'. Nothing was adopted.");
        await using var db = folder.Database.Open();
        var project = await ProjectCommand.FindAsync(
            db.Projects, order.Project ?? throw new CommandException("--adopt needs --project."), cancellationToken);
        var known = await db.Destinations.Where(d => d.ProjectId == project.Id && d.DeletedAt == null).Select(d => d.Id).ToListAsync(cancellationToken);
        var destinations = order.Destinations.Select(text => Guid.TryParse(text, out var id) && known.Contains(id)
            ? id
            : throw new CommandException($"There is no destination '{text}' in that project.")).ToList();
        var photos = files.Where(file => file.MimeType is not null && (order.Stopped || file.WrittenAt < folder.Now - _quiet));
        return await folder.Services.GetRequiredService<Adoption>().RunAsync(
            photos, project.Id, order.Env, destinations, cancellationToken);
    }

    private static string Text(
        StorageReport report, bool hashes, List<OrphanedFile> orphaned, IReadOnlyList<(Guid Session, IReadOnlyList<Guid> Photos)>? adopted, int days)
    {
        var lines = new List<string>
        {
            $"{report.Photos} photos in the database, compared by {(hashes ? "length and SHA-256" : "length")}.",
            $"{report.Damaged.Count} of them are missing or damaged{(report.Damaged.Count == 0 ? "." : ":")}",
        };
        lines.AddRange(report.Damaged.Select(photo =>
            $"  {photo.Upload.Id}  {photo.Fault.WireName(),-9}  {photo.Upload.SizeBytes,12}  {photo.Upload.Filename}"));
        lines.Add($"{orphaned.Count} files are named by no row{(orphaned.Count == 0 ? "." : ":")}");
        lines.AddRange(orphaned.Select(file => string.Create(CultureInfo.InvariantCulture,
            $"  {file.Id}  {file.MimeType ?? "no photo",-16}  {file.SizeBytes,12}  {file.Sha256}  {file.WrittenAt:yyyy-MM-dd HH:mm}  {Place(file, days)}")));
        foreach (var (session, photos) in adopted ?? [])
            lines.Add($"{photos.Count} photos were adopted into session {session}.");
        if (adopted is { Count: 0 })
            lines.Add("Nothing was adopted.");
        return string.Join(Environment.NewLine, lines);
    }

    private static string Place(OrphanedFile file, int days) => file.QuarantinedOn is { } since
        ? string.Create(CultureInfo.InvariantCulture, $"in quarantine until {since.AddDays(days):yyyy-MM-dd}")
        : "in place";

    private sealed record AdoptionOrder(string? Project, string[] Destinations, Env Env, bool Stopped);
}
