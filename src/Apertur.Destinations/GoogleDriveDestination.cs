using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// A folder in Google Drive. Drive makes a new file for every upload, whatever its name, so a repeat is recognised by the
/// file's id, which is asked for beforehand and kept with the delivery, and, where that was lost, by a property that holds the
/// delivery's id.
/// </summary>
public sealed class GoogleDriveDestination : IOAuthDestination
{
    // The tree that other types get from KeyTemplate.Default, with its first folder given by the field "folder".
    private const string DefaultFolder = "Apertur";
    private const string DefaultTemplate = "{date}/{session}/{index}-{filename}";

    private const string DeliveryProperty = "aperturDelivery";
    private const string FileFields = "id,size,sha256Checksum,trashed";

    private readonly Uri _root;
    private readonly JsonApi _api;
    private readonly GoogleUpload _upload;
    private readonly GoogleDriveFolders _folders;

    public GoogleDriveDestination(OutboundHttp http, DestinationSettings settings, TimeProvider clock)
    {
        _root = settings.DriveApi;
        _api = new JsonApi(http, clock);
        _upload = new GoogleUpload(_api);
        _folders = new GoogleDriveFolders(_api, _root);
        // Google gives a refresh token only for offline access, and again only when consent is asked for again.
        var offline = new Dictionary<string, string> { ["access_type"] = "offline", ["prompt"] = "consent" };
        OAuth = settings.GoogleDrive.IsConfigured ? new OAuthFlow(http, settings.GoogleDrive, offline, clock) : null;
    }

    public string Type => "google_drive";

    public string Label => "Google Drive";

    public OAuthFlow? OAuth { get; }

    public IReadOnlyList<ConfigField> Fields { get; } =
    [
        new("folderId", "Folder id") { Help = "The last part of the folder's address. Counts before the path." },
        new("folder", "Folder")
        {
            Default = DefaultFolder,
            Check = FolderPath.Problem,
            Help = "A path such as Photos/Site A. Missing folders are made.",
        },
        new("nameTemplate", "File name") { Default = DefaultTemplate, Check = KeyTemplate.Problem },
    ];

    public async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
        ((IOAuthDestination)this).Unconnected(delivery.Config)
        ?? await _api.AttemptAsync(
            delivery.SizeBytes, deadline => DeliverAsync(delivery, delivery.Config.AccessToken!, deadline), cancellationToken);

    /// <summary>Opens an upload session in the folder, or in the nearest one that exists, and gives it up.</summary>
    public async Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
        ((IOAuthDestination)this).Unconnected(config) ?? await _api.AttemptAsync(0, async deadline =>
        {
            var (parent, refused) = await _folders.NearestAsync(Place(config, []), config.AccessToken!, deadline);
            if (parent is null)
                return Refusal(refused!);

            var resource = new JsonObject { ["name"] = "apertur-test", ["parents"] = new JsonArray(parent) };
            var answer = await _upload.TryOutAsync(UploadAddress, config.AccessToken!, resource, deadline);
            return answer.IsSuccess && answer.Headers.Location is not null
                ? answer.Means(new DeliveryOutcome.Accepted())
                : Refusal(answer);
        }, cancellationToken);

    private async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, string token, TransferDeadline deadline)
    {
        var id = UploadResume.Of(delivery)?.Name;
        if (id is null)
        {
            var search = GoogleDriveFolders.SearchAddress(
                _root,
                $"appProperties has {{ key='{DeliveryProperty}' and value='{delivery.Id}' }} and trashed = false",
                FileFields);
            var found = await GetAsync(search, token, deadline);
            if (!found.IsSuccess)
                return Refusal(found);
            if (GoogleDriveFolders.First(found) is { } file && IsSame(file, delivery))
                return found.Means(new DeliveryOutcome.Accepted(Text(file, "id")));

            (id, var refusal) = await NewIdAsync(delivery, token, deadline);
            if (id is null)
                return Refusal(refusal);
        }

        var path = KeyTemplate.Render(delivery.Config.Required("nameTemplate"), delivery).Split('/');
        var place = Place(delivery.Config, path[..^1]);
        var (parent, refused) = await _folders.MakeAsync(place, token, deadline);
        if (parent is null)
            return refused!.Status == HttpStatusCode.NotFound && _folders.Forget(place, token) ? IsGone(refused) : Refusal(refused);

        var resource = new JsonObject
        {
            ["id"] = id,
            ["name"] = path[^1],
            ["mimeType"] = delivery.MimeType,
            ["parents"] = new JsonArray(parent),
            ["appProperties"] = new JsonObject
            {
                [DeliveryProperty] = delivery.Id.ToString(),
                ["aperturImage"] = delivery.ImageId.ToString(),
            },
        };
        if (delivery.OriginalSha256 is { } original)
            resource["appProperties"]!["aperturOriginalSha256"] = original;
        List<string> description = [.. (delivery.Answers ?? []).Select(given => $"{given.Key}: {given.Value}")];
        if (delivery.Caption is { } caption)
            description.Insert(0, caption);
        if (description.Count > 0)
            resource["description"] = string.Join('\n', description);
        var answer = await _upload.SendAsync(UploadAddress, token, resource, id, delivery, deadline);
        // The id is taken: an earlier attempt came through, and its answer was lost.
        if (answer.Status == HttpStatusCode.Conflict)
        {
            answer = await GetAsync(FileAddress(id, "&fields=" + FileFields), token, deadline);
            if (answer.Status == HttpStatusCode.NotFound)
            {
                // Its file was deleted since, for good, and no id serves twice.
                await NewIdAsync(delivery, token, deadline);
                return answer.Means(new DeliveryOutcome.TryAgain("The file was there and is gone. It will be sent again."));
            }
        }

        if (answer.Status == HttpStatusCode.NotFound && _folders.Forget(place, token))
            return IsGone(answer);

        if (!answer.IsSuccess)
            return Refusal(answer);

        // An answer without the file's id and digest says little: then the file itself is asked for.
        if (answer.Text("id") != id || answer.Text("sha256Checksum") is null)
        {
            answer = await GetAsync(FileAddress(id, "&fields=" + FileFields), token, deadline);
            if (answer.Status == HttpStatusCode.NotFound)
                return answer.Means(new DeliveryOutcome.TryAgain("Google Drive said yes, but the file is not there."));
            if (!answer.IsSuccess || answer.Text("id") != id)
                return Refusal(answer);
        }

        var sent = answer.Json as JsonObject;
        if (sent is not null && IsSame(sent, delivery) && !IsTrashed(sent))
            return answer.Means(new DeliveryOutcome.Accepted(id));

        // A folder in the trash still takes files, which then lie in the trash as well.
        _folders.Forget(place, token);
        return await WithdrawAsync(id, delivery, token, deadline);
    }

    /// <summary>Gets the id that the file will have, and keeps it before it is used.</summary>
    /// <returns>An id, or null and the answer that refused it.</returns>
    private async Task<(string? Id, ApiAnswer Answer)> NewIdAsync(Delivery delivery, string token, TransferDeadline deadline)
    {
        var answer = await GetAsync(new Uri(_root, "drive/v3/files/generateIds?count=1&space=drive"), token, deadline);
        if (!answer.IsSuccess)
            return (null, answer);
        if (((answer.Json as JsonObject)?["ids"] as JsonArray)?.FirstOrDefault() is not JsonValue first || !first.TryGetValue<string>(out var id))
            return (null, answer);
        await new UploadResume(id, null).SaveAsync(delivery, deadline.Token);
        return (id, answer);
    }

    /// <summary>
    /// Takes away a file of ours that holds other bytes than were sent, or lies in the trash; the next attempt makes another.
    /// </summary>
    private async Task<DeliveryOutcome> WithdrawAsync(string id, Delivery delivery, string token, TransferDeadline deadline)
    {
        // Into the trash: should its owner have changed it meanwhile, the change is not lost.
        using var request = JsonApi.Request(HttpMethod.Patch, FileAddress(id, ""), token, new JsonObject { ["trashed"] = true });
        var answer = await _api.SendAsync(request, deadline);
        await NewIdAsync(delivery, token, deadline);
        return answer.Means(new DeliveryOutcome.TryAgain("The file did not arrive as it was sent, or came into the trash."));
    }

    private static DrivePlace Place(DestinationConfig config, string[] below) => config.Text("folderId") is { } folderId
        ? new DrivePlace(folderId, below)
        : new DrivePlace("root", [.. FolderPath.Names(config.Required("folder")), .. below]);

    private async Task<ApiAnswer> GetAsync(Uri address, string token, TransferDeadline deadline)
    {
        using var request = JsonApi.Request(HttpMethod.Get, address, token);
        return await _api.SendAsync(request, deadline);
    }

    private static bool IsSame(JsonObject file, Delivery delivery) =>
        Text(file, "size") == delivery.SizeBytes.ToString(CultureInfo.InvariantCulture)
        && string.Equals(Text(file, "sha256Checksum") ?? delivery.Sha256, delivery.Sha256, StringComparison.OrdinalIgnoreCase);

    private static string? Text(JsonObject file, string name) =>
        file[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static bool IsTrashed(JsonObject file) =>
        file["trashed"] is JsonValue value && value.TryGetValue<bool>(out var isTrashed) && isTrashed;

    private static DeliveryOutcome IsGone(ApiAnswer folder) =>
        folder.Means(new DeliveryOutcome.TryAgain("The folder was there and is gone. It will be looked up again."));

    private static DeliveryOutcome Refusal(ApiAnswer answer) =>
        GoogleRefusal.Common(answer) ?? (answer.Status, GoogleRefusal.Reason(answer)) switch
        {
            (HttpStatusCode.Forbidden, "storageQuotaExceeded" or "quotaExceeded" or "teamDriveFileLimitExceeded"
                or "activeItemCreationLimitExceeded") => answer.Means(
                new DeliveryOutcome.Broken("The Google Drive is full. Make room there, then test the destination.")),
            (HttpStatusCode.Forbidden, "numChildrenInNonRootLimitExceeded") => answer.Means(new DeliveryOutcome.Broken(
                "The folder holds as many files as Google Drive allows. Choose another folder.")),
            (HttpStatusCode.Forbidden, _) => answer.Means(new DeliveryOutcome.Broken(
                "The connected Google account may not write to the folder.")),
            (HttpStatusCode.NotFound, _) => answer.Means(new DeliveryOutcome.Broken(
                "The folder does not exist, or this server was not given access to it. Choose another folder.")),
            _ => answer.Refused,
        };

    private Uri UploadAddress => new(_root, $"upload/drive/v3/files?supportsAllDrives=true&fields={FileFields}");

    private Uri FileAddress(string id, string query) =>
        new(_root, $"drive/v3/files/{Uri.EscapeDataString(id)}?supportsAllDrives=true{query}");
}
