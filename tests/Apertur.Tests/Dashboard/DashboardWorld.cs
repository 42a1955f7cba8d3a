using System.Net;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Dashboard;

/// <summary>A project with one of everything, so that each page has something to show.</summary>
internal sealed class DashboardWorld
{
    /// <summary>What would run if any page took it for markup.</summary>
    public const string Hostile = "\"'><img src=x onerror=window.pwned=1><script>window.pwned=1</script>";

    // One that a webhook was told.
    private readonly string _event;

    private DashboardWorld(IReadOnlyList<string> paths, string told) => (Paths, _event) = (paths, told);

    /// <summary>Every page, below the project; those elsewhere without a slash at the beginning.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>Every form that has an address.</summary>
    public IReadOnlyList<string> Forms =>
    [
        "/sessions?new=1", "/destinations?new=1", "/keys?new=1", "/webhooks?new=1", "/members?new=1",
        Paths.Last(path => path.StartsWith("/destinations/", StringComparison.Ordinal)) + "?replay=failed",
        Paths.Last(path => path.StartsWith("/webhooks/", StringComparison.Ordinal)) + "?check=1",
        Paths.Last(path => path.StartsWith("/webhooks/", StringComparison.Ordinal)) + "?event=" + _event,
    ];

    /// <param name="app">Where.</param>
    /// <param name="receiver">Gets the photos of one destination, and answers with <paramref name="text"/>.</param>
    /// <param name="text">Stands wherever a stranger or a member may write.</param>
    public static async Task<DashboardWorld> FillAsync(AperturApp app, Receiver receiver, string text = "Roof after the storm")
    {
        receiver.Otherwise = async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Response.StatusCode = context.Request.Path == "/broken" ? 410 : 200;
            await context.Response.WriteAsync(text);
        };
        var (owner, project) = (await app.SignInAsync(), $"projects/{app.ProjectId}");
        async Task<string> MakeAsync(string path, object body) =>
            (string)((await owner.Client.PostAsync(path, body)).Expect(HttpStatusCode.Created).Json["id"] ?? "")!;
        var good = await MakeAsync($"{project}/destinations", new { type = "webhook", name = text, config = new { url = receiver.Url } });
        var bad = await MakeAsync($"{project}/destinations", new
        {
            type = "webhook",
            name = "Archive " + text,
            config = new { url = receiver.Url.Replace("/hook", "/broken", StringComparison.Ordinal), headers = new Dictionary<string, string> { ["X-Note"] = text } },
        });
        await MakeAsync($"{project}/destinations", new { type = "dropbox", name = "Dropbox" });
        var webhook = await MakeAsync($"{project}/webhooks", new { url = receiver.Url, topics = new[] { "*" } });
        await owner.Client.PostAsync($"{project}/keys", new { label = text });
        await owner.Client.PostAsync($"{project}/members", new { email = "guest@example.com", role = "viewer" });
        await owner.Client.SendAsync(HttpMethod.Patch, project, new { name = text });
        var session = await MakeAsync("upload-sessions", new
        {
            project_id = app.ProjectId,
            label = text,
            tags = new[] { text },
            metadata = new Dictionary<string, string> { [text] = text },
            destination_ids = new[] { good, bad },
        });
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), text.Replace('"', '\'') + ".jpg"))["id"]!;
        await app.Client.UploadBecomesAsync(upload, "partial");
        var told = await owner.Client.GetAsync($"{project}/webhooks/{webhook}/deliveries");
        return new(
        [
            "", "/start", "/sessions", $"/sessions/{session}", "/uploads", "/uploads?view=table", $"/uploads/{upload}", "/destinations",
            $"/destinations/{good}", $"/destinations/{bad}", "/keys", "/webhooks", $"/webhooks/{webhook}", "/members", "/settings", "/audit",
            "account", "admin", "admin/users", "admin/projects", "admin/settings",
        ],
        (string)told.Expect(HttpStatusCode.OK).Json["deliveries"]![0]!["id"]!);
    }

    /// <summary>Many rows of uploads without files, each a moment older than the one before.</summary>
    public static Task CopyUploadsAsync(AperturApp app, int count) => app.WriteAsync(async db =>
    {
        var one = await db.Uploads.AsNoTracking().FirstAsync();
        var session = await db.Sessions.SingleAsync(s => s.Id == one.SessionId);
        db.Uploads.AddRange(Enumerable.Range(0, count).Select(i => new Upload
        {
            Id = Guid.CreateVersion7(),
            SessionId = one.SessionId,
            ProjectId = one.ProjectId,
            Env = one.Env,
            ImageIndex = i + 1,
            Filename = $"copy-{i}.jpg",
            SizeBytes = one.SizeBytes,
            MimeType = one.MimeType,
            Fields = one.Fields with { },
            Sha256 = one.Sha256,
            IsEncrypted = false,
            ReadyAt = one.ReadyAt,
            CreatedAt = one.CreatedAt.AddMilliseconds(i - count),
        }));
        session.ImagesCount += count;
        db.Counts.For(one.ProjectId, one.Env, one.CreatedAt).Images += count;
    });
}
