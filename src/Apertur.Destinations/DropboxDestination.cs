using System.Net;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// A folder in a Dropbox. A file is only ever added, never overwritten: a repeat of a delivery conflicts with its own file, and
/// the content hash tells that from a stranger's.
/// </summary>
public sealed class DropboxDestination : IOAuthDestination
{
    // The tree that other types get from KeyTemplate.Default, with its first folder given by the field "folder".
    private const string DefaultFolder = "/Apertur";
    private const string DefaultTemplate = "{date}/{session}/{index}-{filename}";

    private readonly Uri _root;
    private readonly JsonApi _api;
    private readonly DropboxUpload _upload;

    public DropboxDestination(OutboundHttp http, DestinationSettings settings, TimeProvider clock)
    {
        _root = settings.DropboxApi;
        _api = new JsonApi(http, clock);
        _upload = new DropboxUpload(_api, settings.DropboxContent);
        var offline = new Dictionary<string, string> { ["token_access_type"] = "offline" };
        OAuth = settings.Dropbox.IsConfigured ? new OAuthFlow(http, settings.Dropbox, offline, clock) : null;
    }

    public string Type => "dropbox";

    public string Label => "Dropbox";

    public OAuthFlow? OAuth { get; }

    public IReadOnlyList<ConfigField> Fields { get; } =
    [
        new("folder", "Folder")
        {
            Default = DefaultFolder,
            Check = FolderPath.Problem,
            Help = "A path such as /Photos/Site A. Made when missing.",
        },
        new("nameTemplate", "File name") { Default = DefaultTemplate, Check = KeyTemplate.Problem },
    ];

    public async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
        ((IOAuthDestination)this).Unconnected(delivery.Config) ?? await _api.AttemptAsync(delivery.SizeBytes, async deadline =>
        {
            await using var file = delivery.OpenRead();
            var hash = await DropboxContentHash.OfAsync(file, delivery.SizeBytes, deadline.Token);
            var folder = Folder(delivery.Config);
            var name = KeyTemplate.Render(delivery.Config.Required("nameTemplate"), delivery);
            return await AddAsync($"{folder}/{name}", hash, delivery, deadline)
                ?? await AddAsync($"{folder}/{KeyTemplate.Alternative(name, delivery)}", hash, delivery, deadline)
                ?? new DeliveryOutcome.GiveUp("Other files stand under both names that this image could get.");
        }, cancellationToken);

    /// <summary>Opens an upload session and leaves it: nothing shows of it, and Dropbox forgets it after a week.</summary>
    public async Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
        ((IOAuthDestination)this).Unconnected(config) ?? await _api.AttemptAsync(0, async deadline =>
        {
            var answer = await _upload.StartAsync(config.AccessToken!, deadline);
            return answer.IsSuccess ? answer.Means(new DeliveryOutcome.Accepted()) : Refusal(answer);
        }, cancellationToken);

    /// <returns>Null when another image has that name.</returns>
    private async Task<DeliveryOutcome?> AddAsync(string path, string hash, Delivery delivery, TransferDeadline deadline)
    {
        var answer = await _upload.SendAsync(path, hash, delivery, deadline);
        if (answer.IsSuccess)
        {
            return answer.Text("content_hash") == hash
                ? Accepted(answer, path)
                : answer.Means(new DeliveryOutcome.TryAgain("Dropbox did not confirm the hash of what was sent."));
        }

        if (DropboxUpload.WriteError(answer) is not "conflict")
            return Refusal(answer);

        var address = new Uri(_root, "2/files/get_metadata");
        using var request = JsonApi.Request(
            HttpMethod.Post, address, delivery.Config.AccessToken!, new JsonObject { ["path"] = path });
        var existing = await _api.SendAsync(request, deadline);
        // Not found: the conflict is with a file that stands where the path needs a folder, and no name in it can be free.
        if (!existing.IsSuccess)
        {
            return existing.Status == HttpStatusCode.Conflict
                ? existing.Means(new DeliveryOutcome.TryAgain("A file stands in the way of the folder, or has just gone."))
                : Refusal(existing);
        }

        return existing.Text("content_hash") == hash
            ? Accepted(existing, path)
            : null;
    }

    /// <summary>
    /// Errors of an endpoint come with 409 and a tag
    /// (https://www.dropbox.com/developers/documentation/http/documentation#error-handling).
    /// </summary>
    private static DeliveryOutcome Refusal(ApiAnswer answer)
    {
        var tag = answer.Status == HttpStatusCode.Conflict ? DropboxUpload.WriteError(answer) : answer.Text("error", ".tag");
        return answer.Means((answer.Status, tag) switch
        {
            (HttpStatusCode.Unauthorized, "missing_scope") => new DeliveryOutcome.Broken(
                "The Dropbox app lacks the permission files.content.write or files.metadata.read. Grant it and connect again."),
            (HttpStatusCode.Unauthorized, "user_suspended") => new DeliveryOutcome.Broken("The Dropbox account is suspended."),
            (HttpStatusCode.Unauthorized, _) => new DeliveryOutcome.TryAgain("Dropbox did not accept the access token."),
            (HttpStatusCode.Forbidden, _) => new DeliveryOutcome.Broken("The Dropbox account may not use this feature."),
            (HttpStatusCode.Conflict, "insufficient_space") => new DeliveryOutcome.Broken(
                "The Dropbox is full. Make room there, then test the destination."),
            (HttpStatusCode.Conflict, "no_write_permission" or "access_restricted" or "team_folder") =>
                new DeliveryOutcome.Broken("The Dropbox account may not write to the folder."),
            (HttpStatusCode.Conflict, "malformed_path" or "disallowed_name") => new DeliveryOutcome.GiveUp(
                "Dropbox does not take a file of this name."),
            (HttpStatusCode.Conflict, "payload_too_large") => new DeliveryOutcome.GiveUp("The image is too large for Dropbox."),
            (HttpStatusCode.Conflict, _) => new DeliveryOutcome.TryAgain("Dropbox could not take the file now."),
            (HttpStatusCode.TooManyRequests, _) => new DeliveryOutcome.TryAgain(
                "Dropbox asks to send more slowly.", answer.RetryAfter ?? answer.Seconds("error", "retry_after")),
            _ => answer.Outcome,
        });
    }

    private static DeliveryOutcome Accepted(ApiAnswer answer, string path) =>
        answer.Means(new DeliveryOutcome.Accepted(answer.Text("path_display") ?? path));

    /// <summary>The folder with a slash before every name: Dropbox's own root is the empty string.</summary>
    private static string Folder(DestinationConfig config) =>
        string.Concat(FolderPath.Names(config.Required("folder")).Select(name => "/" + name));
}
