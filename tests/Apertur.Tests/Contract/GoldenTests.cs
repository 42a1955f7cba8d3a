using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Replays;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Apertur.Tests.Tus;

namespace Apertur.Tests.Contract;

/// <summary>Every answer of the API, as it was accepted. A new route is one line in the scenario that fits it.</summary>
public sealed class GoldenTests
{
    // What the contract lists, with the JSON kind that strict clients expect; a question mark allows null.
    private static readonly Dictionary<string, string> _shapes = new()
    {
        ["session-create"] =
            "id string, uuid string, upload_url string, qr_url string, qr_specs object, destinations array, long_polling boolean, expires_at string, "
            + "password_protected boolean, env string, short_url string",
        ["session-info"] =
            "id string, status string, expiresAt string, tags array?, imagesPerSession integer, effectiveMaxImages integer, "
            + "effectiveAllowedMimeTypes array, effectiveMaxImageDimension integer?, password_protected boolean, serverPublicKey string, "
            + "e2eEnabled boolean, e2ePublicKey string?, e2eDowngraded boolean, imagesCount integer, effectiveMaxImageSizeMb integer, "
            + "projectName string, label string?",
        ["upload-create"] =
            "id string, filename string, size_bytes integer, destinations integer, long_polling boolean, sha256 string, mime_type string, "
            + "width integer?, height integer?",
        ["destination-create"] = "id string, type string, name string, config object, isActive boolean, createdAt string, updatedAt string",
        ["destination-get"] = "id string, type string, name string, config object, isActive boolean, createdAt string, updatedAt string",
        ["destination-test"] = "success boolean",
        ["encryption-server-key"] = "publicKey string",
        ["session-info-protected"] = "id string, status string, expiresAt string, password_protected boolean, serverPublicKey string, "
            + "effectiveAllowedMimeTypes array, imagesPerSession integer, effectiveMaxImages integer, imagesCount integer, e2eEnabled boolean",
        ["session-update"] = "id string, status string, expiresAt string, password_protected boolean, effectiveMaxImages integer",
        ["password-right"] = "valid boolean",
        ["poll"] = "images array",
        ["poll-empty"] = "images array",
        ["poll-ack"] = "status string",
        ["delivery-status"] = "status string, lastChanged string, files array",
        ["destination-authorize"] = "url string",
        ["webhook-create"] =
            "id string, projectId string, url string, topics array, secret string, signatureMethod string, maxRetries integer, retryIntervals array, "
            + "disableAfterFailures integer, customHeaders object, isActive boolean, consecutiveFailures integer, disabledAt string?, "
            + "createdAt string, updatedAt string",
        ["key-create"] = "key object, plainTextKey string",
        ["key-update"] =
            "id string, prefix string, label string, env string, isActive boolean, lastUsedAt string?, maxImages integer?, "
            + "allowedMimeTypes array, maxImageDimension integer?, longPollingEnabled boolean, defaultDestinations array, "
            + "allowedIps array, allowedDomains array, totpEnabled boolean, clientCertEnabled boolean, "
            + "clientCertFingerprint string?, createdAt string",
        ["key-destinations"] = "destinations array, longPollingEnabled boolean",
        ["auth-login"] = "token string, expiresAt string, refreshToken string, user object",
        ["auth-refresh"] = "token string, expiresAt string, refreshToken string, user object",
        ["project-create"] = "id string, name string, role string, webhookSecret string, e2ePublicKey string?, retentionDays integer?, "
            + "createdAt string, updatedAt string",
        ["projects"] =
            "id string, name string, role string, e2ePublicKey string?, retentionDays integer?, createdAt string, updatedAt string",
        ["key-signing-secret"] = "signingSecret string",
        ["key-totp"] = "secret string, otpauthUrl string",
        ["webhook-deliveries"] = "deliveries array, total integer, page integer, limit integer",
        ["webhook-test"] = "message string",
        ["webhook-retry"] = "message string",
        ["sessions"] = "data array, total integer, page integer, pageSize integer, totalPages integer",
        ["uploads"] = "data array, total integer, page integer, pageSize integer, totalPages integer",
        ["sessions-recent"] =
            "id string, createdAt string, expiresAt string, status string, projectId string, projectName string, imagesCount integer, "
            + "imagesDelivered integer, imagesFailed integer, destinationsCount integer, tags array?, longPollingEnabled boolean, env string, label string?",
        ["uploads-recent"] =
            "id string, filename string, sizeBytes integer, mimeType string, source string, isEncrypted boolean, createdAt string, sessionId string, "
            + "projectId string, projectName string, destinationsTotal integer, destinationsDelivered integer, destinationsFailed integer, "
            + "destinationsBreakdown array, status string, env string",
        ["stats"] =
            "sessionsThisMonth integer, sessionsTotal integer, imagesUploaded integer, imagesDelivered integer, deliverySuccessRate integer, "
            + "totalProjects integer, activeKeys integer, topProjects array",
    };

    [Theory, AllDatabases]
    public async Task Sessions_and_uploads_answer_as_accepted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(
            database, new Dictionary<string, string?> { ["Sharing:EmailTransport"] = "Folder", ["Sharing:EmailFrom"] = "photos@example.com" });
        var golden = new Golden(app);
        golden.Name("receiver", receiver.Url);
        var webhook = golden.Name(
            "webhook", await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));
        var phone = app.ClientOf(null);

        await golden.PinAsync("session-create-plain", "POST", "upload-sessions");
        // So that lists, newest first, have one order.
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        var created = await golden.PinAsync("session-create", "POST", "upload-sessions", new JsonObject
        {
            ["destination_ids"] = new JsonArray(webhook),
            ["tags"] = new JsonArray("claim:17", "roof"),
            ["label"] = "Roof",
            ["metadata"] = new JsonObject { ["a"] = 1 },
            ["expires_in_hours"] = 2,
        });
        var session = golden.Name("session", (string)created.Json["id"]!);
        await golden.PinAsync("session-qr", "GET", $"upload-sessions/{session}/qr", client: phone);
        await golden.PinAsync("session-info", "GET", $"upload/{session}/session", client: phone);
        await golden.PinAsync("session-details", "GET", $"upload-sessions/{session}");
        var uploaded = await app.Client.PostImageAsync(session, Photos.Jpeg(), "Küche.jpg", "gallery");
        golden.Pin("upload-create", "POST", $"upload/{session}/images", uploaded);
        var upload = golden.Name("upload", (string)uploaded.Json["id"]!);
        await app.Client.UploadBecomesAsync(upload, "delivered");
        await golden.PinAsync("upload-download", "GET", $"uploads/{upload}/download");
        await golden.PinAsync("upload-archive-ticket", "POST", "uploads/archive-ticket", new JsonObject { ["uploadIds"] = new JsonArray(upload) });
        await golden.PinAsync("upload-deliveries", "GET", $"uploads/{upload}/deliveries");
        golden.Name("node", Node.Name);
        await golden.PinAsync("upload-attempts", "GET", $"uploads/{upload}/destinations/{webhook}/attempts");
        await golden.PinAsync("upload-retry", "POST", $"uploads/{upload}/retry");
        await golden.PinAsync("delivery-status", "GET", $"upload-sessions/{session}/delivery-status");
        await golden.PinAsync("session-update", "PATCH", $"upload-sessions/{session}", new JsonObject { ["max_images"] = 30 });
        await golden.PinAsync("sessions-recent", "GET", "sessions/recent");
        await golden.PinAsync("sessions", "GET", "sessions");
        await golden.PinAsync("uploads-recent", "GET", "uploads/recent");
        await golden.PinAsync("uploads", "GET", "uploads");
        await golden.PinAsync("upload-get", "GET", $"uploads/{upload}");
        await golden.PinAsync("stats-daily", "GET", "stats/daily?from=2026-06-11");
        await golden.PinAsync("stats", "GET", "stats");
        await golden.PinAsync("stats-range", "GET", "stats?from=2026-01-01T00:00:00Z");
        await golden.PinAsync("session-share", "POST", $"upload-sessions/{session}/share", new JsonObject { ["channel"] = "email", ["recipient"] = "a@example.com" });
        await golden.PinAsync("session-share-revoke", "DELETE", $"upload-sessions/{session}/share");
        await golden.PinAsync("error-share", "POST", $"upload-sessions/{session}/share", new JsonObject { ["channel"] = "sms", ["recipient"] = "+41791234567" });
        await golden.PinAsync("session-complete", "POST", $"upload-sessions/{session}/complete");
        await golden.PinAsync("upload-delete", "DELETE", $"uploads/{upload}");
        var visitor = Guid.NewGuid().ToString();
        var shared = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true });
        using (var form = new MultipartFormDataContent { { new StringContent(visitor), "visitor" }, { new ByteArrayContent(Photos.Png()), "file", "a.png" } })
        {
            var own = (await phone.SendAsync(HttpMethod.Post, $"upload/{shared}/images", form)).Json["id"];
            await golden.PinAsync(
                "link-update-image", "PATCH", $"upload/{shared}/images/{own}?visitor={visitor}", new JsonObject { ["caption"] = "The dent" }, phone);
            await golden.PinAsync("link-withdraw", "DELETE", $"upload/{shared}/images/{own}?visitor={visitor}", client: phone);
        }

        await using var source = await Receiver.StartAsync();
        source.Otherwise = context => context.Response.Body.WriteAsync(Photos.Png()).AsTask();
        await golden.PinAsync("upload-fetch", "POST", $"upload/{shared}/images/from-url", new JsonObject { ["url"] = source.Url }, phone);
        source.Answers(404);
        await golden.PinAsync("error-source-refused", "POST", $"upload/{shared}/images/from-url", new JsonObject { ["url"] = source.Url }, phone);
        await golden.PinAsync("encryption-server-key", "GET", "encryption/server-key", client: phone);
        await golden.PinAsync("session-create-warned", "POST", "upload-sessions", new JsonObject { ["pasword"] = "secret" });
        await golden.PinAsync("error-retired-field", "POST", "upload-sessions", new JsonObject { ["webhook_url"] = "https://example.com/" });
        await golden.PinAsync("health-alive", "GET", "/healthz", client: phone);
        await golden.PinAsync("health-ready", "GET", "/readyz", client: phone);
    }

    [Theory, AllDatabases]
    public async Task Photos_in_pieces_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var session = golden.Name("session", await app.Client.CreateSessionAsync());
        var photo = Photos.Jpeg();

        await golden.PinAsync("tus-options", "OPTIONS", $"upload/{session}/tus");
        var created = await app.Client.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", photo, ("Upload-Length", $"{photo.Length}"));
        var path = created.Headers.Location!.ToString();
        golden.Name("upload", path.Split('/')[^1]);
        golden.Pin("tus-create", "POST", $"upload/{session}/tus", created);
        golden.Pin("tus-get", "GET", path["/api/v1/".Length..], await app.Client.GetAsync(path));
        golden.Pin("tus-patch", "PATCH", path["/api/v1/".Length..], await app.Client.PatchAsync(path, [], photo.Length));
        golden.Pin("tus-override", "POST", path["/api/v1/".Length..], await app.Client.TusAsync(
            HttpMethod.Post, path, [], ("Upload-Offset", $"{photo.Length}"), ("X-HTTP-Method-Override", "PATCH")));
        golden.Pin("error-offset", "PATCH", path["/api/v1/".Length..], await app.Client.PatchAsync(path, photo, 0));
        golden.Pin("tus-delete", "DELETE", path["/api/v1/".Length..], await app.Client.TusAsync(HttpMethod.Delete, path));
    }

    [Theory, AllDatabases]
    public async Task Pull_delivery_answers_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var session = golden.Name("session", await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true }));
        var plain = await app.Client.CreateSessionAsync();

        await golden.PinAsync("poll-empty", "GET", $"upload-sessions/{session}/poll");
        var image = golden.Name("image", (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        await golden.PinAsync("poll", "GET", $"upload-sessions/{session}/poll");
        await golden.PinAsync("poll-image", "GET", $"upload-sessions/{session}/images/{image}");
        await golden.PinAsync("poll-ack", "POST", $"upload-sessions/{session}/images/{image}/ack");
        await golden.PinAsync("error-acknowledged", "POST", $"upload-sessions/{session}/images/{image}/ack");
        await golden.PinAsync("error-acknowledged-image", "POST", $"images/{image}/ack");
        await golden.PinAsync("poll-ack-image", "POST", $"images/{(await app.Client.UploadAsync(session, Photos.Png()))["id"]}/ack");
        await golden.PinAsync("error-no-polling", "GET", $"upload-sessions/{plain}/poll");
    }

    [Theory, AllDatabases]
    public async Task Protected_sessions_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var phone = app.ClientOf(null);
        var session = golden.Name(
            "session", await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame", ["label"] = "Roof" }));

        await golden.PinAsync("session-info-protected", "GET", $"upload/{session}/session", client: phone);
        await golden.PinAsync("error-event-ticket", "POST", $"upload/{session}/event-ticket", client: phone);
        await golden.PinAsync("event-ticket", "POST", $"upload/{session}/event-ticket", new JsonObject { ["password"] = "open sesame" }, phone);
        await golden.PinAsync("error-password-missing", "POST", $"upload/{session}/complete", client: phone);
        await golden.PinAsync(
            "password-wrong", "POST", $"upload/{session}/verify-password", new JsonObject { ["password"] = "wrong" }, phone);
        await golden.PinAsync(
            "password-right", "POST", $"upload/{session}/verify-password", new JsonObject { ["password"] = "open sesame" }, phone);
        await golden.PinAsync(
            "link-complete", "POST", $"upload/{session}/complete", null, phone, ("x-session-password", "open sesame"));
        golden.Pin("error-closed", "POST", $"upload/{session}/images", await phone.PostImageAsync(session, Photos.Png()));
        for (var guess = 0; guess < 5; guess++)
            await phone.PostAsync($"upload/{session}/verify-password", new JsonObject { ["password"] = "wrong" });
        await golden.PinAsync(
            "error-guesses", "POST", $"upload/{session}/verify-password", new JsonObject { ["password"] = "wrong" }, phone);
    }

    [Theory, AllDatabases]
    public async Task What_a_widget_shows_answers_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var page = app.ClientOf(null);
        var session = golden.Name("session", await app.Client.CreateSessionAsync());
        var token = golden.Name("token", (string)(await app.Client.GetAsync($"upload-sessions/{session}")).Json["widgetToken"]!);
        var photo = golden.Name("image", (string)(await page.UploadAsync(session, Photos.Png()))["id"]!);

        await golden.PinAsync("widget-images", "GET", $"upload/{session}/images?token={token}", client: page);
        await golden.PinAsync("error-widget-token", "GET", $"upload/{session}/images", client: page);
        await golden.PinAsync("error-widget-thumbnail", "GET", $"upload/{session}/images/{photo}/thumbnail?token={token}", client: page);
    }

    [Theory, AllDatabases]
    public async Task Event_webhooks_answer_as_accepted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 500);
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        golden.Name("receiver", receiver.Url);
        var path = $"projects/{app.ProjectId}/webhooks";

        var created = await golden.PinAsync("webhook-create", "POST", path, new JsonObject
        {
            ["url"] = receiver.Url,
            ["topics"] = new JsonArray("project.session.completed"),
            ["customHeaders"] = new JsonObject { ["X-Token"] = "t" },
        });
        var id = golden.Name("webhook", (string)created.Json["id"]!);
        await golden.PinAsync("webhook-get", "GET", $"{path}/{id}");
        await golden.PinAsync("webhooks", "GET", path);
        await golden.PinAsync(
            "webhook-update", "PATCH", $"{path}/{id}", new JsonObject { ["topics"] = new JsonArray("project.upload.*") });
        await golden.PinAsync("webhook-test", "POST", $"{path}/{id}/test");
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        await golden.PinAsync("webhook-test-fails", "POST", $"{path}/{id}/test");
        var history = await golden.PinAsync("webhook-deliveries", "GET", $"{path}/{id}/deliveries");
        await golden.PinAsync("webhook-delivery", "GET", $"{path}/{id}/deliveries/{history.Json["deliveries"]![0]!["id"]}");
        await golden.PinAsync("webhook-retry", "POST", $"{path}/{id}/deliveries/{history.Json["deliveries"]![0]!["id"]}/retry");
        await golden.PinAsync("webhook-delete", "DELETE", $"{path}/{id}");
        await golden.PinAsync("error-webhook", "POST", path, new JsonObject { ["topics"] = new JsonArray("weather") });
    }

    [Theory, AllDatabases]
    public async Task Keys_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var path = $"projects/{app.ProjectId}/keys";

        app.Clock.Advance(TimeSpan.FromSeconds(1));
        var created = await golden.PinAsync("key-create", "POST", path, new JsonObject { ["label"] = "Kiosk" });
        var id = golden.Name("key", (string)created.Json["key"]!["id"]!);
        golden.Name("prefix", (string)created.Json["key"]!["prefix"]!);
        await golden.PinAsync("key-update", "PATCH", $"{path}/{id}", new JsonObject { ["maxImages"] = 5 });
        await golden.PinAsync("keys", "GET", path);
        await golden.PinAsync("key-destinations", "PUT", $"keys/{id}/destinations", new JsonObject { ["destination_ids"] = new JsonArray() });
        await golden.PinAsync("key-signing-secret", "POST", $"{path}/{id}/signing-secret");
        await golden.PinAsync("key-signing-secret-delete", "DELETE", $"{path}/{id}/signing-secret");
        var totp = await golden.PinAsync("key-totp", "POST", $"{path}/{id}/totp");
        await golden.PinAsync("error-totp-code", "POST", $"{path}/{id}/totp/confirm", new JsonObject { ["code"] = "x" });
        await golden.PinAsync("key-totp-confirm", "POST", $"{path}/{id}/totp/confirm",
            new JsonObject { ["code"] = app.CodeOf((string)totp.Json["secret"]!) });
        await golden.PinAsync("key-totp-delete", "DELETE", $"{path}/{id}/totp");
        await golden.PinAsync("key-delete", "DELETE", $"{path}/{id}");
    }

    [Theory, AllDatabases]
    public async Task Connections_answer_as_accepted(DatabaseKind database)
    {
        await using var clouds = await FakeClouds.StartAsync();
        await using var app = await AperturApp.StartAsync(database, clouds.Settings);
        var golden = new Golden(app);
        golden.Name("server, escaped", Uri.EscapeDataString(app.Url));
        golden.Name("provider", clouds.Dropbox.Root.AbsoluteUri);
        var id = golden.Name("destination", await app.Client.CreateDestinationAsync("dropbox", []));

        await golden.PinAsync("destination-authorize", "POST", $"projects/{app.ProjectId}/destinations/{id}/authorize");
        await golden.PinAsync("destination-not-connected", "GET", $"projects/{app.ProjectId}/destinations/{id}");
        await golden.PinAsync("destination-types", "GET", "destination-types");
    }

    [Theory, AllDatabases]
    public async Task Encrypted_uploads_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        using var owner = RSA.Create(2048);
        var pem = golden.Name("owner's key", owner.ExportSubjectPublicKeyInfoPem());
        golden.Name("owner's key", pem.Replace("\n", "\\n", StringComparison.Ordinal));
        await EndToEndTests.SetKeyAsync(app, pem);
        var session = golden.Name("session", await app.Client.CreateSessionAsync());
        var images = $"upload/{session}/images";

        golden.Pin("upload-create-encrypted", "POST", images,
            await app.PostJsonAsync(session, Sealed.Here(await app.ServerKeyAsync(), Photos.Png()).ToJsonString()));
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        var uploaded = await app.PostFormAsync(session, Sealed.Here(pem, Photos.Png()).Bytes(), "a.png.enc", "e2e");
        golden.Pin("upload-create-e2e", "POST", images, uploaded);
        await golden.PinAsync("error-no-thumbnail", "GET", $"uploads/{golden.Name("upload", (string)uploaded.Json["id"]!)}/thumbnail");
        golden.Pin("error-envelope", "POST", images, await app.PostJsonAsync(session, "{}"));
        await golden.PinAsync("session-info-e2e", "GET", $"upload/{session}/session");
        await golden.PinAsync("uploads-recent-e2e", "GET", "uploads/recent?limit=1");
    }

    [Theory, AllDatabases]
    public async Task Replays_answer_as_accepted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(410);
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<ReplayQueue>());
        var golden = new Golden(app);
        golden.Name("receiver", receiver.Url);
        var destination = golden.Name("destination", await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));
        var session = golden.Name("session", await app.Client.CreateSessionAsync(destination));
        var upload = golden.Name("upload", (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        await app.Client.UploadBecomesAsync(upload, "failed");
        var path = $"projects/{app.ProjectId}/replays";

        golden.Name("delivery", (await app.DeliveriesAsync(upload)).Single().Id.ToString());
        golden.Name("prefix", (await app.Client.GetAsync($"projects/{app.ProjectId}/keys")).Json.AsArray()
            .Select(key => (string)key!["prefix"]!).Single(prefix => app.LiveKey.StartsWith(prefix, StringComparison.Ordinal)));
        await golden.PinAsync("project-deliveries", "GET", $"projects/{app.ProjectId}/deliveries?status=failed");
        await golden.PinAsync("replay-dry-run", "POST", path, new JsonObject { ["errorContains"] = "410", ["dryRun"] = true });
        var made = await golden.PinAsync("replay-create", "POST", path, new JsonObject { ["destinationId"] = destination, ["sessionId"] = session });
        var id = golden.Name("replay", (string)made.Json["id"]!);
        await golden.PinAsync("replay-pause", "POST", $"{path}/{id}/pause");
        await golden.PinAsync("replay-resume", "POST", $"{path}/{id}/resume");
        await golden.PinAsync("replay-cancel", "POST", $"{path}/{id}/cancel");
        await golden.PinAsync("replay-get", "GET", $"{path}/{id}");
        await golden.PinAsync("replays", "GET", path);
        await golden.PinAsync("error-replay", "POST", path, new JsonObject { ["status"] = "never_dispatched" });
        await golden.PinAsync("session-delete", "DELETE", $"upload-sessions/{session}");
    }

    [Theory, AllDatabases]
    public async Task Destinations_answer_as_accepted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 500);
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        golden.Name("receiver", receiver.Url);
        var path = $"projects/{app.ProjectId}/destinations";

        await golden.PinAsync("destinations-empty", "GET", path);
        var created = await golden.PinAsync("destination-create", "POST", path, new JsonObject
        {
            ["type"] = "webhook",
            ["name"] = "My Backend",
            ["config"] = new JsonObject { ["url"] = receiver.Url, ["headers"] = new JsonObject { ["X-Token"] = "t" }, ["secret"] = "0123456789abcdef" },
        });
        var id = golden.Name("destination", (string)created.Json["id"]!);
        await golden.PinAsync("destination-get", "GET", $"{path}/{id}");
        await golden.PinAsync("destinations", "GET", path);
        await golden.PinAsync("destination-health", "GET", path.Replace("destinations", "destination-health", StringComparison.Ordinal));
        await golden.PinAsync("destination-attempts", "GET", $"{path}/{id}/attempts?hours=2");
        await golden.PinAsync("destination-update", "PATCH", $"{path}/{id}", new JsonObject { ["isActive"] = false });
        await golden.PinAsync("destination-test", "POST", $"{path}/{id}/test");
        await golden.PinAsync("destination-test-fails", "POST", $"{path}/{id}/test");
        await golden.PinAsync("destination-delete", "DELETE", $"{path}/{id}");
        await golden.PinAsync(
            "error-destination-config", "POST", path, new JsonObject { ["type"] = "s3", ["config"] = new JsonObject() });
        await golden.PinAsync("error-destination-type", "POST", path, new JsonObject { ["type"] = "pigeon" });
    }

    [Theory, AllDatabases]
    public async Task Refusals_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var one = golden.Name(
            "session", await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["max_image_size_mb"] = 1 }));
        var images = $"upload/{one}/images";

        await golden.PinAsync("error-no-key", "GET", "stats", client: app.ClientOf(null));
        await golden.PinAsync("error-unknown-key", "GET", "stats", client: app.ClientOf("aptr_live_" + new string('0', 48)));
        await golden.PinAsync("error-no-route", "GET", "nothing-here");
        await golden.PinAsync("error-method", "PUT", "stats");
        await golden.PinAsync("error-not-found", "GET", $"uploads/{Guid.Empty}/download");
        await golden.PinAsync("error-page", "GET", "sessions?page=0");
        await golden.PinAsync(
            "error-fields", "POST", "upload-sessions", new JsonObject { ["max_images"] = 0, ["expires_in_hours"] = 1000 });
        await golden.PinAsync("error-field-kind", "POST", "upload-sessions", new JsonObject { ["tags"] = "no list" });
        await golden.PinAsync("error-json", "POST", "upload-sessions", new StringContent("{", null, "application/json"));
        await golden.PinAsync(
            "error-destination-id", "POST", "upload-sessions", new JsonObject { ["destination_ids"] = new JsonArray("x") });
        golden.Pin("error-type", "POST", images, await app.Client.PostImageAsync(one, "no photo"u8.ToArray()));
        golden.Pin("error-damaged", "POST", images, await app.Client.PostImageAsync(one, Photos.Jpeg()[..40]));
        golden.Pin("error-too-large", "POST", images, await app.Client.PostImageAsync(one, Photos.Jpeg(1_100_000, seed: 1)));
        golden.Pin("error-source", "POST", images, await app.Client.PostImageAsync(one, Photos.Jpeg(), source: "moon"));
        await app.Client.UploadAsync(one, Photos.Png());
        golden.Pin("error-full", "POST", images, await app.Client.PostImageAsync(one, Photos.Png()));
        var old = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        app.Clock.Jump(TimeSpan.FromHours(2));
        golden.Pin("error-expired", "POST", images, await app.Client.PostImageAsync(old, Photos.Png()));
    }

    [Fact]
    public void Every_route_has_an_accepted_answer()
    {
        var pinned = Golden.All.Where(golden => (int)golden.Content["status"]! < 300).Select(golden => (string)golden.Content["request"]!).ToHashSet();

        var missing = OpenApiDocument.Routes().Select(route => $"{OpenApiDocument.MethodOf(route)} {OpenApiDocument.PathOf(route)}")
            .Where(route => !pinned.Contains(route) && !_withoutScenario.ContainsKey(route));

        Assert.Empty(missing);
    }

    /// <summary>Routes whose answers no scenario can pin, and why.</summary>
    private static readonly Dictionary<string, string> _withoutScenario = new()
    {
        ["GET /api/v1/downloads/{id}"] = "the bytes of a photo, as uploads/{id}/download, by a link that only payloads hold",
        ["GET /api/v1/uploads/{id}/thumbnail"] = "its bytes are those of the machine's libvips; ThumbnailTests look at them",
        ["POST /api/v1/uploads/archive"] = "a zip archive; UploadArchiveTests open it",
        ["POST /api/v1/downloads/archive"] = "the same",
        ["GET /api/v1/upload/{id}/images/{imageId}/thumbnail"] = "the same; WidgetTokenTests look at them",
        ["GET /api/v1/admin/settings"] = "every setting there is; AdminTests look at them",
        ["GET /api/v1/events"] = "a stream that does not end; the tests of ProjectStream read it",
        ["GET /api/v1/upload/{id}/events"] = "a stream that does not end; the tests of SessionStream read it frame by frame",
    };

    [Fact]
    public void Numbers_are_integers_in_every_answer()
    {
        Assert.All(Golden.All.SelectMany(golden => Numbers(golden.Content)), number => Assert.Matches("^(0|-?[1-9][0-9]*)$", number));
    }

    [Fact]
    public void Strict_clients_find_every_field_of_the_contract_with_its_kind()
    {
        var answers = Golden.All.ToDictionary(golden => golden.Name, golden => golden.Content["body"]);
        foreach (var (name, shape) in _shapes)
        {
            var rows = answers[name] as JsonArray ?? [answers[name]!.DeepClone()];
            Assert.NotEmpty(rows);
            foreach (var field in shape.Split(", ").Select(field => field.Split(' ')))
                Assert.All(rows, row => ExpectField(name, row!.AsObject(), field[0], field[1]));
        }
    }

    private static void ExpectField(string answer, JsonObject row, string field, string kind)
    {
        Assert.True(row.TryGetPropertyValue(field, out var value), $"{answer} has no {field}");
        var found = value?.GetValueKind() switch
        {
            null => "null",
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Number => "integer",
            var other => other.ToString()!.ToLowerInvariant(),
        };
        Assert.True(found == kind.TrimEnd('?') || (found == "null" && kind.EndsWith('?')), $"{answer}: {field} is {found}, not {kind}");
    }

    private static IEnumerable<string> Numbers(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Numbers(member.Value)),
        JsonArray items => items.SelectMany(Numbers),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => [value.ToJsonString()],
        _ => [],
    };
}
