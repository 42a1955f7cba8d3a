using Apertur.Server.Accounts;
using Apertur.Server.Audit;
using Apertur.Server.Auth;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Keys;
using Apertur.Server.Pages;
using Apertur.Server.Polling;
using Apertur.Server.ProjectData;
using Apertur.Server.Projects;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;

namespace Apertur.Server;

/// <summary>
/// Every address of this server: method, path, handler, and by its group who may call it. A path with <c>{projectId}</c> is checked for the
/// group's role in that project before its handler runs. <c>docs/roles.md</c> shows the same as one table.
/// </summary>
internal static class Routes
{
    // What balancers, and whoever looks at a link before following it, ask with.
    private static readonly string[] _getOrHead = ["GET", "HEAD"];

    public static void Map(WebApplication app)
    {
        var anybody = Group(app, "", Access.Public);
        anybody.MapMethods("/healthz", _getOrHead, HealthApi.Alive);
        anybody.MapMethods("/readyz", _getOrHead, HealthApi.Ready);
        anybody.MapGet("/assets/{name}", WebAssets.Get);
        anybody.MapMethods("/api/v1/upload-sessions/{id}/qr", _getOrHead, SessionsApi.Qr);
        anybody.MapMethods("/api/v1/downloads/{id}", _getOrHead, UploadApi.SignedDownload);
        anybody.MapGet("/api/v1/encryption/server-key", EncryptionApi.Key);
        anybody.MapPost("/api/v1/auth/login", AuthApi.Login);
        anybody.MapPost("/api/v1/auth/refresh", AuthApi.Refresh);
        anybody.MapMethods("/openapi/v1.json", _getOrHead, ReferenceApi.Document);
        anybody.MapMethods("/", _getOrHead, NoticePage.Start);
        anybody.MapMethods("/docs", _getOrHead, ReferenceApi.Page);
        anybody.MapGet("/oauth/callback/{provider}", OAuthApi.Callback);

        var once = Group(app, "/link/{secret}", Access.Link);
        once.MapGet("", LinkPageApi.Open);
        once.MapPost("", LinkPageApi.Follow);

        var page = Group(app, "/u/{id}", Access.Session);
        page.MapMethods("", _getOrHead, UploadPageApi.Open);
        page.MapPost("", UploadPageApi.Send);

        var link = Group(app, "/api/v1/upload/{id}", Access.Session);
        link.MapGet("/session", SessionLinkApi.Info);
        link.MapPost("/verify-password", SessionLinkApi.VerifyPassword);
        link.MapPost("/complete", SessionLinkApi.Complete);
        link.MapGet("/events", SessionStream.Open);
        link.MapPost("/images", UploadApi.Create);

        var lists = Group(app, "/api/v1", Access.Caller, Role.Viewer).WithMetadata(new ChoosesEnv());
        lists.MapGet("/sessions", ProjectDataApi.Sessions);
        lists.MapGet("/sessions/recent", ProjectDataApi.RecentSessions);
        lists.MapGet("/uploads", ProjectDataApi.Uploads);
        lists.MapGet("/uploads/recent", ProjectDataApi.RecentUploads);
        lists.MapGet("/stats", ProjectDataApi.Stats);

        var see = Group(app, "/api/v1", Access.Caller, Role.Viewer);
        see.MapGet("/upload-sessions/{id}/delivery-status", DeliveryStatusApi.Get);
        see.MapGet("/upload-sessions/{id}/poll", PollApi.List);
        see.MapGet("/upload-sessions/{id}/images/{imageId}", PollApi.Image);
        see.MapGet("/uploads/{id}/download", UploadApi.Download);
        see.MapGet("/uploads/{id}/thumbnail", UploadApi.Thumbnail);
        see.MapGet("/projects", ProjectsApi.List);
        see.MapGet("/projects/{projectId}", ProjectsApi.Get);
        see.MapGet("/projects/{projectId}/destinations", DestinationsApi.List);
        see.MapGet("/projects/{projectId}/destinations/{id}", DestinationsApi.Get);
        see.MapGet("/projects/{projectId}/webhooks", EventWebhooksApi.List);
        see.MapGet("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Get);
        see.MapGet("/projects/{projectId}/webhooks/{id}/deliveries", EventDeliveriesApi.List);
        see.MapGet("/projects/{projectId}/keys", KeysApi.List);
        see.MapGet("/destination-types", DestinationTypesApi.List);

        var work = Group(app, "/api/v1", Access.Caller, Role.Developer);
        work.MapPost("/upload-sessions", SessionsApi.Create).WithMetadata(new Unaudited());
        work.MapPatch("/upload-sessions/{id}", SessionsApi.Update);
        work.MapPost("/upload-sessions/{id}/complete", SessionsApi.Complete);
        work.MapPost("/upload-sessions/{id}/images/{imageId}/ack", PollApi.Acknowledge).WithMetadata(new Unaudited());
        work.MapDelete("/uploads/{id}", UploadApi.Delete);
        work.MapPost("/uploads/{id}/retry", DeliveriesApi.Retry);
        work.MapPost("/projects/{projectId}/destinations", DestinationsApi.Create);
        work.MapPatch("/projects/{projectId}/destinations/{id}", DestinationsApi.Update);
        work.MapDelete("/projects/{projectId}/destinations/{id}", DestinationsApi.Delete);
        work.MapPost("/projects/{projectId}/destinations/{id}/test", DestinationsApi.Test);
        work.MapPost("/projects/{projectId}/destinations/{id}/authorize", OAuthApi.Authorize);
        work.MapPost("/projects/{projectId}/keys", KeysApi.Create);
        work.MapPatch("/projects/{projectId}/keys/{id}", KeysApi.Update);
        work.MapDelete("/projects/{projectId}/keys/{id}", KeysApi.Delete);
        work.MapPut("/keys/{id}/destinations", KeysApi.SetDestinations);
        work.MapPost("/projects/{projectId}/keys/{id}/signing-secret", KeySecretsApi.CreateSigningSecret);
        work.MapDelete("/projects/{projectId}/keys/{id}/signing-secret", KeySecretsApi.DeleteSigningSecret);
        work.MapPost("/projects/{projectId}/keys/{id}/totp", KeySecretsApi.CreateTotp);
        work.MapPost("/projects/{projectId}/keys/{id}/totp/confirm", KeySecretsApi.ConfirmTotp);
        work.MapDelete("/projects/{projectId}/keys/{id}/totp", KeySecretsApi.DeleteTotp);
        work.MapPost("/projects/{projectId}/webhooks", EventWebhooksApi.Create);
        work.MapPatch("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Update);
        work.MapDelete("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Delete);
        work.MapPost("/projects/{projectId}/webhooks/{id}/test", EventDeliveriesApi.Test);
        work.MapPost("/projects/{projectId}/webhooks/{id}/deliveries/{deliveryId}/retry", EventDeliveriesApi.Retry);

        var me = Group(app, "/api/v1", Access.Person);
        me.MapPost("/auth/logout", AuthApi.Logout);
        me.MapGet("/me", MeApi.Get);
        me.MapPost("/me/password", MeApi.ChangePassword);
        me.MapPost("/me/totp", MeApi.CreateTotp);
        me.MapPost("/me/totp/confirm", MeApi.ConfirmTotp);
        me.MapDelete("/me/totp", MeApi.DeleteTotp);
        me.MapPost("/projects", ProjectsApi.Create);

        var belong = Group(app, "/api/v1/projects/{projectId}", Access.Person, Role.Viewer);
        belong.MapGet("/members", MembersApi.List);
        belong.MapDelete("/members/{userId}", MembersApi.Delete);

        var manage = Group(app, "/api/v1/projects/{projectId}", Access.Person, Role.Admin);
        manage.MapPatch("", ProjectsApi.Update);
        manage.MapPost("/webhook-secret/rotate", ProjectsApi.RotateWebhookSecret);
        manage.MapPost("/members", MembersApi.Invite);
        manage.MapPatch("/members/{userId}", MembersApi.Update);
        manage.MapGet("/invitations", MembersApi.ListInvitations);
        manage.MapDelete("/invitations/{id}", MembersApi.DeleteInvitation);
        manage.MapGet("/audit", AuditApi.List);

        var own = Group(app, "/api/v1/projects/{projectId}", Access.Person, Role.Owner);
        own.MapDelete("", ProjectsApi.Delete).WithMetadata(new Unaudited());
    }

    private static RouteGroupBuilder Group(WebApplication app, string prefix, Access access, Role? needed = null)
    {
        var group = app.MapGroup(prefix);
        group.WithMetadata(new AccessRule(access, needed));
        return group;
    }
}
