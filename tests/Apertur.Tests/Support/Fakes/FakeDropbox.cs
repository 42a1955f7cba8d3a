using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support.Fakes;

/// <summary>
/// Dropbox's OAuth, content and metadata endpoints as far as photos need them, after the published reference. The official
/// client for Node works against it, which <c>OfficialClientsTests</c> proves.
/// </summary>
public sealed class FakeDropbox : FakeCloud
{
    private const int HashBlock = 4 * 1024 * 1024;
    private const long MaxRequestBytes = 150L * 1024 * 1024;

    private readonly Dictionary<string, StoredFile> _files = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Session> _sessions = [];
    private int _revision;

    /// <summary>A file under the path it was given; Dropbox keeps the case of it and ignores it.</summary>
    public sealed record StoredFile(string Path, byte[] Bytes, int Revision);

    public FakeOAuth OAuth { get; } = new(("token_access_type", "offline"))
    {
        WrongClient = (StatusCodes.Status400BadRequest, "invalid_client: Invalid client_id or client_secret"),
    };

    /// <summary>How many bytes still fit; null for no limit.</summary>
    public long? Room { get; set; }

    public IReadOnlyList<StoredFile> Files
    {
        get
        {
            lock (_files)
                return [.. _files.Values];
        }
    }

    public static async Task<FakeDropbox> StartAsync()
    {
        var dropbox = new FakeDropbox();
        await dropbox.StartServerAsync();
        return dropbox;
    }

    /// <summary>Puts a file there as a stranger would.</summary>
    public void Put(string path, byte[] bytes)
    {
        lock (_files)
            _files[path] = new StoredFile(path, bytes, ++_revision);
    }

    /// <summary>Sessions end, as they do after a week.</summary>
    public void ForgetSessions()
    {
        lock (_files)
            _sessions.Clear();
    }

    /// <summary>Refuses an endpoint with an error of its own.</summary>
    public void RefuseBecause(string line, JsonObject error, int status = 409, int? retryAfterSeconds = null) =>
        Refuse(line, status, ErrorBody("planted-summary", error.DeepClone()).ToJsonString(), retryAfterSeconds);

    public static string ContentHash(byte[] bytes) =>
        Convert.ToHexStringLower(SHA256.HashData([.. bytes.Chunk(HashBlock).SelectMany(SHA256.HashData)]));

    protected override void Map(WebApplication app)
    {
        app.MapGet("/oauth2/authorize", (HttpRequest request) => OAuth.Authorize(request));
        app.MapPost("/oauth2/token", OAuth.TokenAsync);
        app.MapPost("/2/files/upload", (HttpRequest request) => ContentAsync(request, Upload));
        app.MapPost("/2/files/upload_session/start", (HttpRequest request) => ContentAsync(request, Start));
        app.MapPost("/2/files/upload_session/append_v2", (HttpRequest request) => ContentAsync(request, Append));
        app.MapPost("/2/files/upload_session/finish", (HttpRequest request) => ContentAsync(request, Finish));
        app.MapPost("/2/files/get_metadata", async (HttpRequest request) =>
        {
            var path = (string)(await JsonNode.ParseAsync(request.Body))!["path"]!;
            lock (_files)
            {
                if (Unauthorized(request) is { } refused)
                    return refused;
                return _files.TryGetValue(path, out var file)
                    ? FakeJson.Answer(Metadata(file, tagged: true))
                    : Conflict(NotFound);
            }
        });
        app.MapPost("/2/files/download", (HttpRequest request) =>
        {
            var path = (string)JsonNode.Parse(request.Headers["Dropbox-API-Arg"].ToString())!["path"]!;
            lock (_files)
            {
                if (Unauthorized(request) is { } refused)
                    return refused;
                if (!_files.TryGetValue(path, out var file))
                    return Conflict(NotFound);
                request.HttpContext.Response.Headers["Dropbox-API-Result"] = Metadata(file, tagged: false).ToJsonString();
                return Results.Bytes(file.Bytes, "application/octet-stream");
            }
        });
    }

    private static JsonObject NotFound => new() { [".tag"] = "path", ["path"] = new JsonObject { [".tag"] = "not_found" } };

    private async Task<IResult> ContentAsync(HttpRequest request, Func<JsonObject, byte[], IResult> act)
    {
        if (Unauthorized(request) is { } refused)
            return refused;
        if (request.ContentType != "application/octet-stream")
            return BadInput($"Bad HTTP \"Content-Type\" header: {request.ContentType}.");

        var header = request.Headers["Dropbox-API-Arg"].ToString();
        JsonObject arguments;
        try
        {
            if (header.Any(c => c is < ' ' or > '~'))
                throw new JsonException();
            arguments = JsonNode.Parse(header)!.AsObject();
        }
        catch (JsonException)
        {
            return BadInput("HTTP header \"Dropbox-API-Arg\": could not decode input as JSON");
        }

        using var body = new MemoryStream();
        try
        {
            await request.Body.CopyToAsync(body);
        }
        catch (IOException)
        {
            // Bytes that came before the cut may count: the next offset then is a wrong one.
            lock (_files)
                Find(arguments)?.Bytes.Write(body.ToArray());
            throw;
        }

        lock (_files)
        {
            if (body.Length > MaxRequestBytes)
                return Conflict(new JsonObject { [".tag"] = "payload_too_large" });
            if ((string?)arguments["content_hash"] is { } hash && hash != ContentHash(body.ToArray()))
                return Conflict(new JsonObject { [".tag"] = "content_hash_mismatch" });
            return act(arguments, body.ToArray());
        }
    }

    private IResult? Unauthorized(HttpRequest request) => OAuth.Knows(request)
        ? null
        : FakeJson.Answer(ErrorBody("expired_access_token", new JsonObject { [".tag"] = "expired_access_token" }), 401);

    private static JsonObject ErrorBody(string summary, JsonNode error) =>
        new() { ["error_summary"] = summary + "/..", ["error"] = error };

    private static IResult BadInput(string message) =>
        Results.Text("Error in call to API function: " + message, statusCode: 400);

    private IResult Upload(JsonObject commit, byte[] bytes) =>
        Write(commit, bytes, reason => new JsonObject
        {
            [".tag"] = "path",
            ["reason"] = reason,
            ["upload_session_id"] = "pid_upload_session:spare",
        });

    private IResult Start(JsonObject arguments, byte[] bytes)
    {
        var id = "pid_upload_session:" + Guid.NewGuid().ToString("N");
        _sessions[id] = new Session { IsClosed = arguments["close"]?.GetValue<bool>() ?? false };
        _sessions[id].Bytes.Write(bytes);
        return FakeJson.Answer(new JsonObject { ["session_id"] = id });
    }

    private IResult Append(JsonObject arguments, byte[] bytes)
    {
        if (LookupProblem(arguments) is { } problem)
            return Conflict(problem);
        var session = Find(arguments)!;
        if (session.IsClosed)
            return Conflict(new JsonObject { [".tag"] = "closed" });
        session.Bytes.Write(bytes);
        session.IsClosed = arguments["close"]?.GetValue<bool>() ?? false;
        return Results.Text("null", "application/json");
    }

    private IResult Finish(JsonObject arguments, byte[] bytes)
    {
        if (LookupProblem(arguments) is { } problem)
            return Conflict(new JsonObject { [".tag"] = "lookup_failed", ["lookup_failed"] = problem });
        var session = Find(arguments)!;
        byte[] whole = [.. session.Bytes.ToArray(), .. bytes];
        var commit = arguments["commit"]!.AsObject();
        var answer = Write(commit, whole, reason => new JsonObject { [".tag"] = "path", ["path"] = reason });
        // A finished session is gone; one whose path was refused can be finished again.
        if (_files.TryGetValue((string)commit["path"]!, out var file) && file.Revision == _revision)
            _sessions.Remove((string)arguments["cursor"]!["session_id"]!);
        else
            session.Bytes.Write(bytes);
        return answer;
    }

    private Session? Find(JsonObject arguments) =>
        (string?)arguments["cursor"]?["session_id"] is { } id ? _sessions.GetValueOrDefault(id) : null;

    private JsonObject? LookupProblem(JsonObject arguments)
    {
        if (Find(arguments) is not { } session)
            return new JsonObject { [".tag"] = "not_found" };
        return (long)arguments["cursor"]!["offset"]! == session.Bytes.Length
            ? null
            : new JsonObject { [".tag"] = "incorrect_offset", ["correct_offset"] = session.Bytes.Length };
    }

    private IResult Write(JsonObject commit, byte[] bytes, Func<JsonObject, JsonObject> wrap)
    {
        var path = (string?)commit["path"] ?? "";
        if (!path.StartsWith('/') || path.EndsWith('/') || path.Contains("//", StringComparison.Ordinal))
            return Conflict(wrap(new JsonObject { [".tag"] = "malformed_path" }));
        if (Room is { } room && bytes.Length > room)
            return Conflict(wrap(new JsonObject { [".tag"] = "insufficient_space" }));

        var isStrict = commit["strict_conflict"]?.GetValue<bool>() ?? false;
        var renames = commit["autorename"]?.GetValue<bool>() ?? false;
        // A union without a value may be written as its tag alone.
        var mode = commit["mode"] is JsonObject union ? union[".tag"] : commit["mode"];
        var overwrites = (string?)mode == "overwrite";
        if (!overwrites && ConflictAt(path) is { } kind)
        {
            if (kind == "file" && !isStrict && _files[path].Bytes.AsSpan().SequenceEqual(bytes))
                return FakeJson.Answer(Metadata(_files[path], tagged: false));
            if (!renames || kind != "file")
            {
                return Conflict(wrap(new JsonObject
                {
                    [".tag"] = "conflict",
                    ["conflict"] = new JsonObject { [".tag"] = kind },
                }));
            }

            path = Path.ChangeExtension(path, null) + " (1)" + Path.GetExtension(path);
        }

        _files[path] = new StoredFile(path, bytes, ++_revision);
        Room -= bytes.Length;
        return FakeJson.Answer(Metadata(_files[path], tagged: false));
    }

    private string? ConflictAt(string path)
    {
        if (_files.ContainsKey(path))
            return "file";
        if (_files.Keys.Any(other => other.StartsWith(path + "/", StringComparison.OrdinalIgnoreCase)))
            return "folder";
        return _files.Keys.Any(other => path.StartsWith(other + "/", StringComparison.OrdinalIgnoreCase))
            ? "file_ancestor"
            : null;
    }

    private static JsonObject Metadata(StoredFile file, bool tagged)
    {
        var metadata = new JsonObject
        {
            ["name"] = Path.GetFileName(file.Path),
            ["path_lower"] = file.Path.ToLowerInvariant(),
            ["path_display"] = file.Path,
            ["id"] = $"id:{file.Revision:x16}",
            ["rev"] = $"{file.Revision:x9}",
            ["size"] = file.Bytes.Length,
            ["is_downloadable"] = true,
            ["content_hash"] = ContentHash(file.Bytes),
        };
        if (tagged)
            metadata.Insert(0, ".tag", "file");
        return metadata;
    }

    private static IResult Conflict(JsonObject error) =>
        FakeJson.Answer(ErrorBody((string)error[".tag"]!, error), 409);

    private sealed class Session
    {
        public MemoryStream Bytes { get; } = new();

        public bool IsClosed { get; set; }
    }
}
