using System.Net;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// How files go into Dropbox: at once, or through an upload session that says how far it came. Each request carries the hash of
/// its bytes, so a damaged one is refused and never becomes a file.
/// </summary>
internal sealed class DropboxUpload(JsonApi api, Uri root)
{
    /// <summary>Larger files go through a session, in requests of this size; Dropbox wants multiples of 4 MiB.</summary>
    public const long ChunkSize = 8 * 1024 * 1024;

    private const string ContentType = "application/octet-stream";

    // Two cuts in a row without a byte of progress are not a passing fault.
    private const int MaxCutsWithoutProgress = 2;

    public async Task<ApiAnswer> SendAsync(string path, string hash, Delivery delivery, TransferDeadline deadline)
    {
        var commit = new JsonObject
        {
            ["path"] = path,
            ["mode"] = "add",
            ["autorename"] = false,
            // A conflict even with a file of the same content: every repeat is compared in the same way.
            ["strict_conflict"] = true,
            ["mute"] = true,
        };
        if (delivery.SizeBytes <= ChunkSize)
        {
            commit["content_hash"] = hash;
            return await PostAsync("upload", commit, delivery, 0, delivery.SizeBytes, deadline);
        }

        if (UploadResume.Of(delivery)?.Session is { } kept)
        {
            var resumed = await ContinueAsync(kept, commit, delivery, ask: true, deadline);
            if (LookupError(resumed) is not ("not_found" or "closed"))
                return resumed;
        }

        var started = await StartAsync(delivery.Config.AccessToken!, deadline);
        if (!started.IsSuccess || started.Text("session_id") is not { } session)
            return started;

        await new UploadResume(path, session).SaveAsync(delivery, deadline.Token);
        return await ContinueAsync(session, commit, delivery, ask: false, deadline);
    }

    public async Task<ApiAnswer> StartAsync(string token, TransferDeadline deadline)
    {
        var arguments = new JsonObject { ["close"] = false };
        using var request = Request("upload_session/start", arguments, token, new ByteArrayContent([]));
        return await api.SendAsync(request, deadline);
    }

    private async Task<ApiAnswer> ContinueAsync(
        string session, JsonObject commit, Delivery delivery, bool ask, TransferDeadline deadline)
    {
        var cuts = 0;
        for (var offset = ask ? delivery.SizeBytes : 0; ;)
        {
            // An empty append at the very end is how to ask: the answer is "all there" or the offset that counts.
            var asking = ask;
            ask = false;
            ApiAnswer answer;
            try
            {
                var length = Math.Min(ChunkSize, delivery.SizeBytes - offset);
                var last = !asking && offset + length == delivery.SizeBytes;
                var arguments = new JsonObject { ["cursor"] = new JsonObject { ["session_id"] = session, ["offset"] = offset } };
                if (last)
                    arguments["commit"] = commit.DeepClone();
                await using var file = delivery.OpenRead();
                file.Position = offset;
                arguments["content_hash"] = await DropboxContentHash.OfAsync(file, length, deadline.Token);
                answer = await PostAsync(
                    last ? "upload_session/finish" : "upload_session/append_v2", arguments, delivery, offset, length, deadline);
                if (last && answer.IsSuccess)
                    return answer;
                // Being told that all is there is no progress.
                if (answer.IsSuccess && length > 0)
                    (offset, cuts) = (offset + length, 0);
            }
            catch (HttpRequestException) when (cuts < MaxCutsWithoutProgress)
            {
                (offset, ask, cuts) = (delivery.SizeBytes, true, cuts + 1);
                continue;
            }

            if (answer.IsSuccess)
                continue;
            if (CorrectOffset(answer) is not { } correct || correct > delivery.SizeBytes)
                return answer;
            if (!asking && ++cuts > MaxCutsWithoutProgress)
                return answer;
            offset = correct;
        }
    }

    private async Task<ApiAnswer> PostAsync(
        string route, JsonObject arguments, Delivery delivery, long offset, long length, TransferDeadline deadline)
    {
        var slice = new FileSlice(delivery.OpenRead, offset, length, ContentType, deadline);
        using var request = Request(route, arguments, delivery.Config.AccessToken!, slice);
        return await api.SendAsync(request, deadline);
    }

    private HttpRequestMessage Request(string route, JsonObject arguments, string token, HttpContent content)
    {
        var request = JsonApi.Request(HttpMethod.Post, new Uri(root, "2/files/" + route), token);
        // The serializer escapes everything beyond ASCII, as a header needs it.
        request.Headers.Add("Dropbox-API-Arg", arguments.ToJsonString());
        request.Content = content;
        request.Content.Headers.ContentType = new(ContentType);
        return request;
    }

    /// <summary>
    /// Why a file could not be written, such as <c>conflict</c>; the tag of another error when it is none of writing.
    /// </summary>
    public static string? WriteError(ApiAnswer answer) =>
        // upload nests the reason, upload_session/finish does not.
        answer.Text("error", "reason", ".tag") ?? answer.Text("error", "path", ".tag") ?? answer.Text("error", ".tag");

    private static string? LookupError(ApiAnswer answer) =>
        answer.Status == HttpStatusCode.Conflict
            ? answer.Text("error", "lookup_failed", ".tag") ?? answer.Text("error", ".tag")
            : null;

    private static long? CorrectOffset(ApiAnswer answer) =>
        answer.Status == HttpStatusCode.Conflict
            ? answer.Number("error", "correct_offset") ?? answer.Number("error", "lookup_failed", "correct_offset")
            : null;
}
