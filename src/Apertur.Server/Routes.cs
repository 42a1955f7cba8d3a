using Apertur.Server.Auth;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Keys;
using Apertur.Server.Pages;
using Apertur.Server.Polling;
using Apertur.Server.ProjectData;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;

namespace Apertur.Server;

/// <summary>Every address of this server: method, path, handler, and by its group who may call it.</summary>
internal static class Routes
{
    // What balancers and previews of links ask with.
    private static readonly string[] _getOrHead = ["GET", "HEAD"];

    public static void Map(WebApplication app)
    {
        var anybody = Group(app, "", Access.Public);
        anybody.MapMethods("/healthz", _getOrHead, HealthApi.Alive);
        anybody.MapMethods("/readyz", _getOrHead, HealthApi.Ready);
        anybody.MapGet("/api/v1/upload-sessions/{id}/qr", SessionsApi.Qr);
        anybody.MapGet("/api/v1/downloads/{id}", UploadApi.SignedDownload);
        anybody.MapGet("/api/v1/encryption/server-key", EncryptionApi.Key);

        anybody.MapGet("/assets/{name}", WebAssets.Get);
        anybody.MapGet("/openapi/v1.json", ReferenceApi.Document);
        anybody.MapGet("/docs", ReferenceApi.Page);
        anybody.MapGet("/oauth/callback/{provider}", OAuthApi.Callback);

        var page = Group(app, "/u/{id}", Access.Session);
        page.MapMethods("", _getOrHead, UploadPageApi.Open);
        page.MapPost("", UploadPageApi.Send);

        var link = Group(app, "/api/v1/upload/{id}", Access.Session);
        link.MapGet("/session", SessionLinkApi.Info);
        link.MapPost("/verify-password", SessionLinkApi.VerifyPassword);
        link.MapPost("/complete", SessionLinkApi.Complete);
        link.MapGet("/events", SessionStream.Open);
        link.MapPost("/images", UploadApi.Create);

        var api = Group(app, "/api/v1", Access.Caller);
        api.MapPost("/upload-sessions", SessionsApi.Create);
        api.MapPatch("/upload-sessions/{id}", SessionsApi.Update);
        api.MapPost("/upload-sessions/{id}/complete", SessionsApi.Complete);
        api.MapGet("/upload-sessions/{id}/delivery-status", DeliveryStatusApi.Get);
        api.MapGet("/upload-sessions/{id}/poll", PollApi.List);
        api.MapGet("/upload-sessions/{id}/images/{imageId}", PollApi.Image);
        api.MapPost("/upload-sessions/{id}/images/{imageId}/ack", PollApi.Acknowledge);

        api.MapGet("/sessions", ProjectDataApi.Sessions);
        api.MapGet("/sessions/recent", ProjectDataApi.RecentSessions);
        api.MapGet("/uploads", ProjectDataApi.Uploads);
        api.MapGet("/uploads/recent", ProjectDataApi.RecentUploads);
        api.MapGet("/stats", ProjectDataApi.Stats);

        api.MapGet("/uploads/{id}/download", UploadApi.Download);
        api.MapDelete("/uploads/{id}", UploadApi.Delete);
        api.MapPost("/uploads/{id}/retry", DeliveriesApi.Retry);

        api.MapGet("/projects/{projectId}/destinations", DestinationsApi.List);
        api.MapPost("/projects/{projectId}/destinations", DestinationsApi.Create);
        api.MapGet("/projects/{projectId}/destinations/{id}", DestinationsApi.Get);
        api.MapPatch("/projects/{projectId}/destinations/{id}", DestinationsApi.Update);
        api.MapDelete("/projects/{projectId}/destinations/{id}", DestinationsApi.Delete);
        api.MapPost("/projects/{projectId}/destinations/{id}/test", DestinationsApi.Test);
        api.MapPost("/projects/{projectId}/destinations/{id}/authorize", OAuthApi.Authorize);
        api.MapGet("/destination-types", DestinationTypesApi.List);

        api.MapGet("/projects/{projectId}/keys", KeysApi.List);
        api.MapPost("/projects/{projectId}/keys", KeysApi.Create);
        api.MapPatch("/projects/{projectId}/keys/{id}", KeysApi.Update);
        api.MapDelete("/projects/{projectId}/keys/{id}", KeysApi.Delete);
        api.MapPut("/keys/{id}/destinations", KeysApi.SetDestinations);
        api.MapPost("/projects/{projectId}/keys/{id}/signing-secret", KeySecretsApi.CreateSigningSecret);
        api.MapDelete("/projects/{projectId}/keys/{id}/signing-secret", KeySecretsApi.DeleteSigningSecret);
        api.MapPost("/projects/{projectId}/keys/{id}/totp", KeySecretsApi.CreateTotp);
        api.MapPost("/projects/{projectId}/keys/{id}/totp/confirm", KeySecretsApi.ConfirmTotp);
        api.MapDelete("/projects/{projectId}/keys/{id}/totp", KeySecretsApi.DeleteTotp);

        api.MapGet("/projects/{projectId}/webhooks", EventWebhooksApi.List);
        api.MapPost("/projects/{projectId}/webhooks", EventWebhooksApi.Create);
        api.MapGet("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Get);
        api.MapPatch("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Update);
        api.MapDelete("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Delete);
        api.MapPost("/projects/{projectId}/webhooks/{id}/test", EventDeliveriesApi.Test);
        api.MapGet("/projects/{projectId}/webhooks/{id}/deliveries", EventDeliveriesApi.List);
        api.MapPost("/projects/{projectId}/webhooks/{id}/deliveries/{deliveryId}/retry", EventDeliveriesApi.Retry);
    }

    private static RouteGroupBuilder Group(WebApplication app, string prefix, Access access)
    {
        var group = app.MapGroup(prefix);
        group.WithMetadata(new AccessRule(access));
        return group;
    }
}
