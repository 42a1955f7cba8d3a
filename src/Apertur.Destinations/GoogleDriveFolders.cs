using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// Folders by path. Drive knows no paths and lets two folders have one name, so a folder that two workers make at the same time
/// is settled afterwards: the oldest one counts for everybody, and the younger is taken away by the one who made it.
/// </summary>
internal sealed class GoogleDriveFolders(JsonApi api, Uri root)
{
    private const string FolderType = "application/vnd.google-apps.folder";

    private const int MaxRemembered = 1000;

    // Only spares requests: every image of a session goes into the same folder. By account, whose token changes within an hour.
    private readonly ConcurrentDictionary<string, string> _found = new();
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1))];

    /// <summary>The id of the folder at the end of a path; folders that are missing are made.</summary>
    /// <param name="place">Where it is.</param>
    /// <param name="token">The access token.</param>
    /// <param name="patience">Ends the attempt.</param>
    /// <returns>An id, or the answer that refused it.</returns>
    public async Task<(string? Id, ApiAnswer? Refused)> MakeAsync(DrivePlace place, string token, Patience patience)
    {
        var key = Key(place, token);
        if (_found.TryGetValue(key, out var known))
            return (known, null);

        // One at a time for each path, so that the workers of one server do not race.
        var turn = _turns[(uint)key.GetHashCode(StringComparison.Ordinal) % (uint)_turns.Length];
        await turn.WaitAsync(patience.Token);
        try
        {
            if (_found.TryGetValue(key, out known))
                return (known, null);
            var (id, refused) = await WalkAsync(place, make: true, token, patience);
            if (id is not null)
            {
                if (_found.Count >= MaxRemembered)
                    _found.Clear();
                _found[key] = id;
            }

            return (id, refused);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>The id of the last folder of a path that exists.</summary>
    public Task<(string? Id, ApiAnswer? Refused)> NearestAsync(DrivePlace place, string token, Patience patience) =>
        WalkAsync(place, make: false, token, patience);

    /// <summary>Looks the path up again next time: the folder that was found is not there any more.</summary>
    public void Forget(DrivePlace place, string token) => _found.TryRemove(Key(place, token), out _);

    private static string Key(DrivePlace place, string token) =>
        $"{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)))}/{place.Start}/{string.Join('/', place.Path)}";

    private async Task<(string? Id, ApiAnswer? Refused)> WalkAsync(DrivePlace place, bool make, string token, Patience patience)
    {
        var parent = place.Start;
        foreach (var name in place.Path)
        {
            var (id, refused) = await OldestAsync(parent, name, token, patience);
            if (id is null && refused is null && make)
                (id, refused) = await CreateAsync(parent, name, token, patience);
            if (refused is not null)
                return (null, refused);
            if (id is null)
                break;
            parent = id;
        }

        return (parent, null);
    }

    private async Task<(string? Id, ApiAnswer? Refused)> OldestAsync(
        string parent, string name, string token, Patience patience)
    {
        var answer = await SearchAsync(
            $"name = {Quoted(name)} and {Quoted(parent)} in parents and mimeType = '{FolderType}' and trashed = false",
            token,
            patience);
        return answer.IsSuccess ? (FirstId(answer), null) : (null, answer);
    }

    private async Task<(string? Id, ApiAnswer? Refused)> CreateAsync(
        string parent, string name, string token, Patience patience)
    {
        var folder = new JsonObject { ["name"] = name, ["mimeType"] = FolderType, ["parents"] = new JsonArray(parent) };
        using var request = JsonApi.Request(
            HttpMethod.Post, new Uri(root, "drive/v3/files?supportsAllDrives=true&fields=id"), token, folder);
        var answer = await api.SendAsync(request, patience);
        if (!answer.IsSuccess || answer.Text("id") is not { } made)
            return (null, answer);

        var (oldest, refused) = await OldestAsync(parent, name, token, patience);
        if (refused is not null)
            return (null, refused);
        // A search that does not list the new folder yet cannot list a rival either.
        if (oldest is null || oldest == made)
            return (made, null);

        return await RemoveIfEmptyAsync(made, token, patience) is { } failed ? (null, failed) : (oldest, null);
    }

    /// <summary>A third worker may have found the younger folder alone and used it: then it stays.</summary>
    /// <returns>The answer that refused it; null when it is done.</returns>
    private async Task<ApiAnswer?> RemoveIfEmptyAsync(string folder, string token, Patience patience)
    {
        var inside = await SearchAsync($"{Quoted(folder)} in parents", token, patience);
        if (!inside.IsSuccess)
            return inside;
        if (FirstId(inside) is not null)
            return null;

        using var request = JsonApi.Request(
            HttpMethod.Delete, new Uri(root, $"drive/v3/files/{Uri.EscapeDataString(folder)}?supportsAllDrives=true"), token);
        var answer = await api.SendAsync(request, patience);
        return answer.IsSuccess ? null : answer;
    }

    private async Task<ApiAnswer> SearchAsync(string query, string token, Patience patience)
    {
        using var request = JsonApi.Request(HttpMethod.Get, SearchAddress(root, query, "id"), token);
        return await api.SendAsync(request, patience);
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
