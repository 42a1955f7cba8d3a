using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>
/// What a server has promised so far. An answer of success is a promise; a request without an answer may have been carried out or not, but
/// never by half.
/// </summary>
internal sealed class Promises
{
    private readonly ConcurrentDictionary<string, string> _sent = [];
    private readonly ConcurrentDictionary<string, string> _photos = [];
    private readonly ConcurrentDictionary<string, HttpStatusCode?> _removals = [];
    private readonly ConcurrentDictionary<string, string> _values = [];

    /// <summary>How many photos were acknowledged and not removed since.</summary>
    public int Photos => _photos.Keys.Count(Lasts);

    /// <summary>Values that can be read only while the keys they are encrypted with are there.</summary>
    public int Values => _values.Count;

    /// <summary>Sends a photo; its name is of this one alone.</summary>
    /// <returns>The upload's id when it was acknowledged.</returns>
    public async Task<string?> UploadAsync(AperturClient client, string session, string filename, byte[] photo, bool lasting = true)
    {
        _sent[filename] = Hash(photo);
        var answer = await client.PostImageAsync(session, photo, filename);
        if (answer.Status != HttpStatusCode.Created)
            return null;
        var id = (string)answer.Json["id"]!;
        if (lasting)
            _photos[id] = _sent[filename];
        return id;
    }

    /// <summary>Removes what is at a path for good.</summary>
    public async Task RemoveAsync(AperturClient client, string path)
    {
        _removals[path] = null;
        _removals[path] = (await client.SendAsync(HttpMethod.Delete, path)).Status;
    }

    /// <summary>From now on this value, such as <c>config.url</c>, of this answer stays as it is.</summary>
    public void Keep(string path, string member, string value) => _values[$"{path} {member}"] = value;

    /// <summary>Compares everything with what is there.</summary>
    /// <param name="client">Somebody who sees it all.</param>
    /// <returns>Every promise that is broken, in words.</returns>
    public async Task<IReadOnlyList<string>> BrokenAsync(AperturClient client)
    {
        var broken = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            _photos.Where(photo => Lasts(photo.Key)), Four(),
            async (photo, _) =>
            {
                if (await CompareAsync(client, photo.Key, photo.Value) is { } difference)
                    broken.Add($"acknowledged {difference}");
            });
        await Parallel.ForEachAsync(
            (await RowsAsync(client)).Where(row => !_photos.ContainsKey(row.Id) || !Lasts(row.Id)), Four(),
            async (row, _) =>
            {
                if (row.Filename == Upload.RemovedFilename)
                    await RequireGoneAsync(client, row.Id, broken);
                else if (await CompareAsync(client, row.Id, _sent[row.Filename]) is { } difference && !await IsRemovedAsync(client, row.Id))
                    broken.Add($"listed {difference}");
            });
        foreach (var path in _removals.Where(removal => removal.Value == HttpStatusCode.NoContent).Select(removal => removal.Key))
        {
            if ((await client.GetAsync(path.StartsWith("uploads/", StringComparison.Ordinal) ? path + "/download" : path)).Status != HttpStatusCode.NotFound)
                broken.Add($"{path} was removed and is there again");
        }

        foreach (var (place, value) in _values)
        {
            var parts = place.Split(' ');
            var answer = await client.GetAsync(parts[0]);
            var now = answer.Status == HttpStatusCode.OK ? (string?)Member(answer.Json, parts[1]) : $"status {(int)answer.Status}";
            if (now != value)
                broken.Add($"{place} was {value} and is {now}");
        }

        return [.. broken];
    }

    /// <summary>Asks for the thumbnails of photos, each of which has one: whole.</summary>
    public async Task<(int Whole, IReadOnlyList<string> Broken)> ThumbnailsAsync(AperturClient client, int most)
    {
        var (whole, broken) = (0, new List<string>());
        foreach (var id in _photos.Keys.Where(Lasts).Order(StringComparer.Ordinal).TakeLast(most))
        {
            var answer = await client.GetAsync($"uploads/{id}/thumbnail");
            if (answer.Status == HttpStatusCode.OK && answer.Bytes is [0xFF, 0xD8, .., 0xFF, 0xD9])
                whole++;
            else
                broken.Add($"the thumbnail of {id} has status {(int)answer.Status} and {answer.Bytes.Length} bytes");
        }

        return (whole, broken);
    }

    /// <summary>Nobody asked for its removal.</summary>
    private bool Lasts(string photo) => !_removals.ContainsKey($"uploads/{photo}");

    /// <summary>How many photos that have a destination are not delivered.</summary>
    public static async Task<int> UndeliveredAsync(AperturClient client) =>
        (await RowsAsync(client)).Count(row => row.Status is not ("delivered" or "stored_only"));

    /// <summary>Whether a project has photos whose time is not up.</summary>
    public static async Task<bool> HasPhotosAsync(AperturClient client, Guid project) =>
        (await client.GetAsync($"uploads?projectId={project}&pageSize=100")).Expect(HttpStatusCode.OK).Json["data"]!.AsArray()
            .Any(row => (string)row!["filename"]! != Upload.RemovedFilename);

    /// <summary>All uploads that the server lists, over all pages.</summary>
    private static async Task<IReadOnlyList<(string Id, string Filename, string Status)>> RowsAsync(AperturClient client)
    {
        var rows = new List<(string, string, string)>();
        for (var (page, pages) = (1, 1); page <= pages; page++)
        {
            var list = (await client.GetAsync($"uploads?page={page}&pageSize=100")).Expect(HttpStatusCode.OK).Json;
            pages = (int)list["totalPages"]!;
            rows.AddRange(list["data"]!.AsArray().Select(row =>
                ((string)row!["id"]!, (string)row["filename"]!, (string)row["status"]!)));
        }

        return rows;
    }

    private static async Task<string?> CompareAsync(AperturClient client, string id, string sha256)
    {
        var answer = await client.GetAsync($"uploads/{id}/download");
        return answer.Status != HttpStatusCode.OK ? $"photo {id} has status {(int)answer.Status}"
            : Hash(answer.Bytes) != sha256 ? $"photo {id} has other bytes: {answer.Bytes.Length} of them"
            : null;
    }

    /// <summary>Whether its time has been up since the list was read.</summary>
    private static async Task<bool> IsRemovedAsync(AperturClient client, string id) =>
        (string?)(await client.GetAsync($"uploads?q={id}")).Expect(HttpStatusCode.OK).Json["data"]!.AsArray().Single()!["filename"] == Upload.RemovedFilename;

    /// <summary>A photo whose time was up keeps its row, and nothing else.</summary>
    private static async Task RequireGoneAsync(AperturClient client, string id, ConcurrentBag<string> broken)
    {
        if ((await client.GetAsync($"uploads/{id}/download")).Status is not HttpStatusCode.Gone and var status)
            broken.Add($"photo {id}, which says that it was removed, has status {(int)status}");
    }

    private static JsonNode? Member(JsonNode json, string path) => path.Split('.').Aggregate((JsonNode?)json, (node, name) => node?[name]);

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static ParallelOptions Four() =>
        new() { MaxDegreeOfParallelism = 4, CancellationToken = TestContext.Current.CancellationToken };
}
