using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Apertur.Tests.Support.Fakes;

/// <summary>Media uploads, which all of Google's APIs share: <c>media</c>, <c>multipart</c> and <c>resumable</c>.</summary>
public sealed partial class FakeGoogle
{
    private const int Block = 256 * 1024;

    private readonly ConcurrentDictionary<string, Session> _sessions = new();

    /// <summary>Set, the next piece of a session is kept only up to so many bytes, and the answer says so.</summary>
    public long? KeepsOnly { get; set; }

    /// <summary>Sessions end, as they do after a week.</summary>
    public void ForgetSessions() => _sessions.Clear();

    public int OpenSessions => _sessions.Values.Count(session => session.Done is null);

    private void MapUploads(WebApplication app)
    {
        app.MapPost("/upload/storage/v1/b/{bucket}/o", (HttpRequest request, string bucket) =>
            UploadAsync(request, new Target(this, request.Query, bucket)));
        app.MapPost("/upload/drive/v3/files", (HttpRequest request) =>
            UploadAsync(request, new Target(this, request.Query, null)));
        app.MapPut("/upload/{**rest}", ContinueAsync);
        app.MapDelete("/upload/{**rest}", (HttpRequest request) =>
            _sessions.TryRemove(request.Query["upload_id"]!, out _) ? Results.StatusCode(499) : Results.NotFound());
    }

    private async Task<IResult> UploadAsync(HttpRequest request, Target target)
    {
        if (Unauthorized(request) is { } refused)
            return refused;

        switch (request.Query["uploadType"].ToString())
        {
            case "media":
                var named = new JsonObject { ["name"] = request.Query["name"].ToString() };
                return target.Check(named) ?? target.Create(named, request.ContentType, await ReadAsync(request.Body));

            case "multipart":
                return await MultipartAsync(request, target);

            case "resumable":
                var body = await ReadAsync(request.Body);
                var metadata = body.Length == 0 ? [] : JsonNode.Parse(body)!.AsObject();
                if (request.Query["name"].ToString() is { Length: > 0 } name)
                    metadata["name"] = name;
                if (target.Check(metadata) is { } failed)
                    return failed;
                var id = Guid.NewGuid().ToString("N");
                var type = request.Headers["X-Upload-Content-Type"].ToString();
                _sessions[id] = new Session(target, metadata, type);
                request.HttpContext.Response.Headers.Location =
                    $"{request.Scheme}://{request.Host}{request.Path}?uploadType=resumable&upload_id={id}";
                return Results.StatusCode(200);

            default:
                return Error(400, "badRequest", "Bad uploadType");
        }
    }

    private static async Task<IResult> MultipartAsync(HttpRequest request, Target target)
    {
        var contentType = MediaTypeHeaderValue.Parse(request.ContentType!);
        if (!contentType.MediaType.Equals("multipart/related", StringComparison.OrdinalIgnoreCase))
            return Error(400, "badContent", "Media type is not multipart/related.");

        var reader = new MultipartReader(HeaderUtilities.RemoveQuotes(contentType.Boundary).Value!, request.Body);
        var first = (await reader.ReadNextSectionAsync())!;
        var metadata = JsonNode.Parse(await ReadAsync(first.Body))!.AsObject();
        if (request.Query["name"].ToString() is { Length: > 0 } name)
            metadata["name"] = name;
        var second = (await reader.ReadNextSectionAsync())!;
        var bytes = await ReadAsync(second.Body);
        return target.Check(metadata) ?? target.Create(metadata, second.ContentType, bytes);
    }

    private async Task<IResult> ContinueAsync(HttpRequest request)
    {
        if (!_sessions.TryGetValue(request.Query["upload_id"]!, out var session))
            return Error(404, "notFound", "No such upload session.");
        if (session.Done is { } done)
            return done;

        var range = ContentRange().Match(request.Headers.ContentRange.ToString());
        var (start, end, total) = (Number(range, 1), Number(range, 2), Number(range, 3));
        if (request.Headers.ContentRange.Count > 0 && !range.Success)
            return Error(400, "badRequest", "Invalid Content-Range.");

        var kept = session.Bytes;
        if (start is not null || !range.Success)
        {
            if ((start ?? 0) > kept.Length)
            {
                return Error(503, "backendError", "The upload offset exceeds the already uploaded size.");
            }

            kept.Position = start ?? 0;
            var isLast = !range.Success || end is null || (total is not null && end == total - 1);
            var until = KeepsOnly is { } only ? kept.Position + only : long.MaxValue;
            KeepsOnly = null;
            try
            {
                await CopyAsync(request.Body, kept, until);
            }
            catch (IOException)
            {
                kept.SetLength(kept.Length / Block * Block);
                throw;
            }

            if (until == long.MaxValue && isLast)
                total ??= kept.Length;
            else
                kept.SetLength(kept.Length / Block * Block);
        }

        if (total is null || kept.Length < total)
        {
            if (kept.Length > 0)
                request.HttpContext.Response.Headers["Range"] = FormattableString.Invariant($"bytes=0-{kept.Length - 1}");
            return Results.StatusCode(308);
        }

        if (request.Headers["X-Goog-Hash"].ToString() is { Length: > 0 } hashes)
            session.Metadata["crc32c"] = Regex.Match(hashes, "crc32c=([^,]+)").Groups[1].Value;
        // The precondition counts again when the object comes into being.
        var answer = session.Target.Check(session.Metadata)
            ?? session.Target.Create(session.Metadata, session.ContentType, kept.ToArray());
        session.Done = answer;
        return answer;
    }

    private static async Task CopyAsync(Stream from, MemoryStream to, long until)
    {
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await from.ReadAsync(buffer)) > 0)
            to.Write(buffer, 0, (int)Math.Clamp(until - to.Position, 0, read));
    }

    private static async Task<byte[]> ReadAsync(Stream body)
    {
        using var copy = new MemoryStream();
        await body.CopyToAsync(copy);
        return copy.ToArray();
    }

    private static long? Number(Match match, int group) =>
        long.TryParse(match.Groups[group].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary><c>bytes 0-9/100</c>, <c>bytes 0-*/*</c>, <c>bytes */100</c>, <c>bytes */*</c> and what lies between.</summary>
    [GeneratedRegex(@"^bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)$")]
    private static partial Regex ContentRange();

    private sealed class Session(Target target, JsonObject metadata, string contentType)
    {
        public Target Target => target;

        public JsonObject Metadata => metadata;

        public string ContentType => contentType;

        public MemoryStream Bytes { get; } = new();

        public IResult? Done { get; set; }
    }

    /// <summary>Where an upload goes: a bucket, or Drive when there is none.</summary>
    private sealed record Target(FakeGoogle Google, IQueryCollection Query, string? Bucket)
    {
        public IResult? Check(JsonObject metadata) =>
            Bucket is null ? Google.CheckFile(metadata) : Google.CheckObject(Bucket, metadata, Query);

        public IResult Create(JsonObject metadata, string? contentType, byte[] bytes) => Bucket is null
            ? Google.CreateFile(metadata, contentType, bytes, Query["fields"])
            : Google.CreateObject(Bucket, metadata, contentType, bytes, Query);
    }
}
