using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// Folders by path. Drive knows no paths and lets two folders have one name. The workers of one server make a folder one at a time;
/// where two servers make one in the same instant, the oldest counts for everybody, and the younger goes into the trash again.
/// </summary>
internal sealed class GoogleDriveFolders(JsonApi api, Uri root)
{
    private const string FolderType = "application/vnd.google-apps.folder";

    private const int MaxRemembered = 1000;

    // Only spares requests: every image of a session goes into the same folder. By account, whose token changes within an hour.
    private readonly ConcurrentDictionary<string, string> _found = new();
    private readonly KeyedLock _locks = new();

    /// <summary>The id of the folder at the end of a path; folders that are missing are made.</summary>
    /// <param name="place">Where it is.</param>
    /// <param name="token">The access token.</param>
    /// <param name="deadline">Ends the attempt.</param>
    /// <returns>An id, or the answer that refused it.</returns>
    public async Task<(string? Id, ApiAnswer? Refused)> MakeAsync(DrivePlace place, string token, TransferDeadline deadline)
    {
        var parent = place.Start;
        for (var depth = 1; depth <= place.Path.Count; depth++)
        {
            var (id, refused) = await MakeAsync(Key(place, depth, token), parent, place.Path[depth - 1], token, deadline);
            if (id is null)
                return (null, refused);
            parent = id;
        }

        return (parent, null);
    }

    /// <summary>The id of the last folder of a path that exists.</summary>
    public async Task<(string? Id, ApiAnswer? Refused)> NearestAsync(DrivePlace place, string token, TransferDeadline deadline)
    {
        var parent = place.Start;
        foreach (var name in place.Path)
        {
            var (id, refused) = await OldestAsync(parent, name, token, deadline);
            if (refused is not null)
                return (null, refused);
            if (id is null)
                break;
            parent = id;
        }

        return (parent, null);
    }

    /// <summary>Looks the path up again next time: a folder that was found is not there any more.</summary>
    /// <returns>Whether any of it was known.</returns>
    public bool Forget(DrivePlace place, string token)
    {
        var known = false;
        for (var depth = 1; depth <= place.Path.Count; depth++)
            known |= _found.TryRemove(Key(place, depth, token), out _);
        return known;
    }

    private static string Key(DrivePlace place, int depth, string token) =>
        $"{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)))}/{place.Start}/{string.Join('/', place.Path.Take(depth))}";

    private async Task<(string? Id, ApiAnswer? Refused)> MakeAsync(
        string key, string parent, string name, string token, TransferDeadline deadline)
    {
        if (_found.TryGetValue(key, out var known))
            return (known, null);

        using var turn = await _locks.TakeAsync(key, deadline.Token);
        if (_found.TryGetValue(key, out known))
            return (known, null);

        var (id, refused) = await OldestAsync(parent, name, token, deadline);
        if (id is null && refused is null)
            (id, refused) = await CreateAsync(parent, name, token, deadline);
        if (id is not null)
        {
            if (_found.Count >= MaxRemembered)
                _found.Clear();
            _found[key] = id;
        }

        return (id, refused);
    }

    private async Task<(string? Id, ApiAnswer? Refused)> OldestAsync(
        string parent, string name, string token, TransferDeadline deadline)
    {
        var answer = await SearchAsync(
            $"name = {Quoted(name)} and {Quoted(parent)} in parents and mimeType = '{FolderType}' and trashed = false",
            token,
            deadline);
        return answer.IsSuccess ? (FirstId(answer), null) : (null, answer);
    }

    private async Task<(string? Id, ApiAnswer? Refused)> CreateAsync(
        string parent, string name, string token, TransferDeadline deadline)
    {
        var folder = new JsonObject { ["name"] = name, ["mimeType"] = FolderType, ["parents"] = new JsonArray(parent) };
        using var request = JsonApi.Request(
            HttpMethod.Post, new Uri(root, "drive/v3/files?supportsAllDrives=true&fields=id"), token, folder);
        var answer = await api.SendAsync(request, deadline);
        if (!answer.IsSuccess || answer.Text("id") is not { } made)
            return (null, answer);

        // A search that does not list the new folder yet cannot list a rival either.
        var (oldest, refused) = await OldestAsync(parent, name, token, deadline);
        if (refused is null && oldest is not null && oldest != made)
            refused = await RetireAsync(made, token, deadline);
        return refused is null ? (oldest ?? made, null) : (null, refused);
    }

    /// <summary>
    /// Puts the younger of two folders into the trash, unless it is in use: a third worker may have found it alone. What comes into it
    /// meanwhile is seen afterwards and brings it back; and nothing is ever deleted for good.
    /// </summary>
    /// <returns>The answer that refused it; null when it is done.</returns>
    private async Task<ApiAnswer?> RetireAsync(string folder, string token, TransferDeadline deadline)
    {
        var inside = $"{Quoted(folder)} in parents";
        var before = await SearchAsync(inside, token, deadline);
        if (!before.IsSuccess || FirstId(before) is not null)
            return before.IsSuccess ? null : before;

        var answer = await TrashAsync(folder, true, token, deadline);
        if (!answer.IsSuccess)
            return answer;
        var after = await SearchAsync(inside, token, deadline);
        if (!after.IsSuccess || FirstId(after) is not null)
            answer = await TrashAsync(folder, false, token, deadline);
        return answer.IsSuccess ? null : answer;
    }

    private async Task<ApiAnswer> TrashAsync(string folder, bool trashed, string token, TransferDeadline deadline)
    {
        var address = new Uri(root, $"drive/v3/files/{Uri.EscapeDataString(folder)}?supportsAllDrives=true");
        using var request = JsonApi.Request(HttpMethod.Patch, address, token, new JsonObject { ["trashed"] = trashed });
        return await api.SendAsync(request, deadline);
    }

    private async Task<ApiAnswer> SearchAsync(string query, string token, TransferDeadline deadline)
    {
        using var request = JsonApi.Request(HttpMethod.Get, SearchAddress(root, query, "id"), token);
        return await api.SendAsync(request, deadline);
    }

    /// <summary>The address of a search that lists the oldest first, in My Drive and in shared drives.</summary>
    public static Uri SearchAddress(Uri root, string query, string fields) => new(root, "drive/v3/files?" + JsonApi.Query(
    [
        new("q", query),
        new("orderBy", "createdTime"),
        new("fields", $"files({fields})"),
        new("pageSize", "10"),
        new("supportsAllDrives", "true"),
        new("includeItemsFromAllDrives", "true"),
    ]));

    /// <summary>A string in Drive's query language.</summary>
    public static string Quoted(string text) =>
        "'" + text.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("'", @"\'", StringComparison.Ordinal) + "'";

    public static JsonObject? First(ApiAnswer answer) =>
        ((answer.Json as JsonObject)?["files"] as JsonArray)?.FirstOrDefault() as JsonObject;

    private static string? FirstId(ApiAnswer answer) => (string?)First(answer)?["id"];
}

/// <summary>A folder by its path.</summary>
/// <param name="Start">The id of the folder that the path starts in; <c>root</c> is My Drive.</param>
/// <param name="Path">Names from there on; none means <paramref name="Start"/> itself.</param>
internal sealed record DrivePlace(string Start, IReadOnlyList<string> Path);
