using System.CommandLine;
using System.Globalization;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary>What <c>fsck</c> found, for programs and for people.</summary>
/// <param name="IsFaulty">Whether a photo is missing or damaged, a count wrong, or a secret not readable.</param>
internal sealed record FsckReport(object Json, string Text, bool IsFaulty);

/// <summary><c>fsck</c>: compares rows, files, hashes, counts and keys, mends what can be mended, and adopts photos that no row names.</summary>
internal static class FsckCommand
{
    /// <summary>The exit code when something is wrong.</summary>
    public const int Faulty = 2;

    // No upload goes so long without a byte: what is younger may still be coming in.
    private static readonly TimeSpan _quiet = TimeSpan.FromMinutes(15);

    public static Command Create()
    {
        var hashes = new Option<bool>("--hashes") { Description = "Compare the SHA-256 of every photo, which reads every file." };
        var repair = new Option<bool>("--repair")
        {
            Description = "Count anew what is counted wrong, note what is damaged, and set aside files that no row names. No photo is lost by it.",
        };
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
        var command = new Command("fsck", "Compare rows, files, counts and keys. Servers may go on running.")
        {
            CommandLine.Data, CommandLine.Json, hashes, repair, adopt, project, destination, env, stopped,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var adoption = parsed.GetValue(adopt)
                ? new AdoptionOrder(parsed.GetValue(project), parsed.GetValue(destination)!, EnumNames.Parse<Env>(parsed.GetValue(env))!.Value, parsed.GetValue(stopped))
                : null;
            FsckReport? report = null;
            var code = await CommandLine.RunAsync(async () =>
            {
                await using var folder = await DataFolder.OpenAsync(UserCommand.Data(parsed), cancellationToken);
                report = await RunAsync(folder, parsed.GetValue(hashes), parsed.GetValue(repair), adoption, cancellationToken);
                DataFolder.Print(UserCommand.Json(parsed), report.Json, report.Text);
            });
            return code == 0 && report!.IsFaulty ? Faulty : code;
        });
        return command;
    }

    /// <summary>Looks only.</summary>
    public static Task<FsckReport> RunAsync(DataFolder folder, CancellationToken cancellationToken) =>
        RunAsync(folder, hashes: false, repair: false, order: null, cancellationToken);

    private static async Task<FsckReport> RunAsync(
        DataFolder folder, bool hashes, bool repair, AdoptionOrder? order, CancellationToken cancellationToken)
    {
        using var held = order is { Stopped: true } ? folder.HoldLock() : null;
        if (repair && !await folder.Services.GetRequiredService<ImagesOwner>().HoldsAsync(cancellationToken))
            throw new CommandException("The folder of images does not belong to this database: see 'images claim'. Nothing was repaired.");
        var days = folder.Services.GetRequiredService<Settings>().Storage.QuarantineDays;
        var report = await folder.Services.GetRequiredService<StorageCheck>().RunAsync(hashes, repair, cancellationToken);
        var outcome = order is null ? null : await AdoptAsync(folder, order, report.Orphaned, cancellationToken);
        var counts = folder.Services.GetRequiredService<CountCheck>();
        var miscounted = await counts.RunAsync(cancellationToken);
        if (repair && !miscounted.IsRight)
            await counts.RepairAsync(miscounted, cancellationToken);
        var unreadable = await folder.Services.GetRequiredService<SecretCheck>().RunAsync(cancellationToken);
        var adopted = outcome?.SelectMany(made => made.Photos).ToHashSet() ?? [];
        var orphaned = report.Orphaned.Where(file => !adopted.Contains(file.Id)).ToList();
        return new FsckReport(
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
                    KeptUntil = file.QuarantinedOn?.AddDays(days),
                }),
                report.SetAside,
                Adopted = outcome?.Select(made => new { SessionId = made.Session, made.Photos }),
                Miscounted = new { miscounted.Sessions, miscounted.Days },
                UnreadableSecrets = unreadable,
                Repaired = repair,
            },
            Text(report, hashes, repair, orphaned, outcome, miscounted, unreadable, days),
            report.Damaged.Count > 0 || (!repair && !miscounted.IsRight) || unreadable.Count > 0);
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
        StorageReport report, bool hashes, bool repair, List<OrphanedFile> orphaned, IReadOnlyList<(Guid Session, IReadOnlyList<Guid> Photos)>? adopted,
        CountReport miscounted, IReadOnlyDictionary<string, int> unreadable, int days)
    {
        var lines = new List<string>
        {
            $"{report.Photos} photos in the database, compared by {(hashes ? "length and SHA-256" : "length")}.",
            $"{report.Damaged.Count} of them are missing or damaged{(report.Damaged.Count == 0 ? "." : repair ? ", which is noted with them:" : ":")}",
        };
        lines.AddRange(report.Damaged.Select(photo =>
            $"  {photo.Upload.Id}  {photo.Fault.WireName(),-9}  {photo.Upload.SizeBytes,12}  {photo.Upload.Filename}"));
        lines.Add($"{orphaned.Count} files are named by no row{(orphaned.Count == 0 ? "." : ":")}");
        lines.AddRange(orphaned.Select(file => string.Create(CultureInfo.InvariantCulture,
            $"  {file.Id}  {file.MimeType ?? (file.Sha256 is null ? "unreadable" : "no photo"),-16}  {file.SizeBytes,12}  {file.Sha256}  {file.WrittenAt:yyyy-MM-dd HH:mm}  {Place(file, days)}")));
        if (report.SetAside > 0)
            lines.Add($"{report.SetAside} of them were set aside just now.");
        foreach (var (session, photos) in adopted ?? [])
            lines.Add($"{photos.Count} photos were adopted into session {session}.");
        if (adopted is { Count: 0 })
            lines.Add("Nothing was adopted.");
        var isMended = repair ? ", and were put right." : "; --repair puts them right.";
        lines.Add(miscounted.IsRight ? "Every count is right."
            : $"Counts of {miscounted.Sessions.Count} sessions and {miscounted.Days.Count} days are wrong{isMended}");
        lines.Add(unreadable.Count == 0 ? "Every stored secret can be read."
            : $"Secrets that the keys here cannot read: {string.Join(", ", unreadable.Select(column => $"{column.Value} in {column.Key}"))}.");
        return string.Join(Environment.NewLine, lines);
    }

    private static string Place(OrphanedFile file, int days) => file.QuarantinedOn is { } since
        ? string.Create(CultureInfo.InvariantCulture, $"in quarantine until {since.AddDays(days):yyyy-MM-dd}")
        : "in place";

    private sealed record AdoptionOrder(string? Project, string[] Destinations, Env Env, bool Stopped);
}
