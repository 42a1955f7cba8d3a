using Apertur.Server.Auth;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Pages;
using Apertur.Server.ProjectData;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;

namespace Apertur.Server;

/// <summary>Every address of this server: method, path, handler, and by its group who may call it.</summary>
internal static class Routes
{
    public static void Map(WebApplication app)
    {
        var anybody = Group(app, "", Access.Public);
        anybody.MapGet("/healthz", HealthApi.Alive);
        anybody.MapGet("/readyz", HealthApi.Ready);
        anybody.MapGet("/api/v1/upload-sessions/{id}/qr", SessionsApi.Qr);
        anybody.MapGet("/api/v1/downloads/{id}", UploadApi.SignedDownload);
        anybody.MapGet("/api/v1/encryption/server-key", EncryptionApi.Key);

        anybody.MapGet("/assets/{name}", WebAssets.Get);
        anybody.MapGet("/openapi/v1.json", ReferenceApi.Document);
        anybody.MapGet("/docs", ReferenceApi.Page);

        var page = Group(app, "/u/{id}", Access.Session);
        page.MapGet("", UploadPageApi.Open);
        page.MapPost("", UploadPageApi.Send);

        var link = Group(app, "/api/v1/upload/{id}", Access.Session);
        link.MapGet("/session", SessionsApi.Info);
        link.MapPost("/images", UploadApi.Create);

        var api = Group(app, "/api/v1", Access.Caller);
        api.MapPost("/upload-sessions", SessionsApi.Create);

        api.MapGet("/sessions", ProjectDataApi.Sessions);
        api.MapGet("/sessions/recent", ProjectDataApi.RecentSessions);
        api.MapGet("/uploads", ProjectDataApi.Uploads);
        api.MapGet("/uploads/recent", ProjectDataApi.RecentUploads);
        api.MapGet("/stats", ProjectDataApi.Stats);

        api.MapGet("/uploads/{id}/download", UploadApi.Download);
        api.MapPost("/uploads/{id}/retry", DeliveriesApi.Retry);

        api.MapGet("/projects/{projectId}/destinations", DestinationsApi.List);
        api.MapPost("/projects/{projectId}/destinations", DestinationsApi.Create);
        api.MapGet("/projects/{projectId}/destinations/{id}", DestinationsApi.Get);
        api.MapPatch("/projects/{projectId}/destinations/{id}", DestinationsApi.Update);
        api.MapDelete("/projects/{projectId}/destinations/{id}", DestinationsApi.Delete);
        api.MapPost("/projects/{projectId}/destinations/{id}/test", DestinationsApi.Test);
    }

    private static RouteGroupBuilder Group(WebApplication app, string prefix, Access access)
    {
        var group = app.MapGroup(prefix);
        group.WithMetadata(new AccessRule(access));
        return group;
    }
}
