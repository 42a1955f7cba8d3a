using Apertur.Server.Accounts;
using Apertur.Server.Admin;
using Apertur.Server.Audit;
using Apertur.Server.Auth;
using Apertur.Server.Dashboard;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Fetching;
using Apertur.Server.Health;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.OpenId;
using Apertur.Server.Pages;
using Apertur.Server.Polling;
using Apertur.Server.ProjectData;
using Apertur.Server.Projects;
using Apertur.Server.Realtime;
using Apertur.Server.Replays;
using Apertur.Server.Sessions;
using Apertur.Server.Sharing;
using Apertur.Server.Tus;
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

    private static readonly CountedAs _list = new(RateKind.Lists);
    private static readonly CountedAs _sessionCreation = new(RateKind.SessionCreations);

    public static void Map(WebApplication app)
    {
        var anyone = Group(app, "", Access.Public);
        anyone.MapMethods("/healthz", _getOrHead, HealthApi.Alive);
        anyone.MapMethods("/readyz", _getOrHead, HealthApi.Ready);
        // A node that only works is asked by its supervisor and nobody else.
        if (app.Services.GetRequiredService<Settings>().Role == NodeRole.Worker)
            return;

        anyone.MapGet("/assets/{name}", WebAssets.Get);
        anyone.MapMethods(WebAssets.WidgetPath, _getOrHead, WebAssets.Widget);
        anyone.MapGet("/accents/{name}", Accent.Get);
        anyone.MapGet("/logos/{name}", Logos.Get);
        anyone.MapMethods("/api/v1/upload-sessions/{id}/qr", _getOrHead, SessionsApi.Qr);
        anyone.MapMethods("/api/v1/downloads/{id}", _getOrHead, UploadApi.SignedDownload);
        anyone.MapPost("/api/v1/downloads/archive", UploadApi.SignedArchive);
        anyone.MapGet("/api/v1/encryption/server-key", EncryptionApi.Key);
        anyone.MapGet("/api/v1/encryption/key", EncryptionApi.Key).WithMetadata(new AliasOf("/api/v1/encryption/server-key"));
        anyone.MapPost("/api/v1/auth/login", AuthApi.Login);
        anyone.MapPost("/api/v1/auth/refresh", AuthApi.Refresh);
        anyone.MapMethods("/openapi/v1.json", _getOrHead, ReferenceApi.Document);
        foreach (var path in DashboardPage.Paths)
            anyone.MapMethods(path, _getOrHead, DashboardPage.Open);
        anyone.MapPost(SessionCookie.Path, DashboardSessionApi.Begin);
        anyone.MapPut(SessionCookie.Path, DashboardSessionApi.Renew);
        anyone.MapDelete(SessionCookie.Path, DashboardSessionApi.End);
        if (app.Services.GetRequiredService<Settings>().OpenId.IsOn)
        {
            anyone.MapGet(OpenIdApi.Path, OpenIdApi.Begin);
            anyone.MapGet(OpenIdApi.CallbackPath, OpenIdApi.Callback);
        }

        ReferenceApi.MapPage(anyone, "/docs", _getOrHead);
        anyone.MapGet("/oauth/callback/{provider}", OAuthApi.Callback);
        anyone.Map(SocketApi.Path, SocketApi.Handle);

        var linkHolders = Group(app, "/link/{secret}", Access.Link);
        linkHolders.MapGet("", LinkPageApi.Open);
        linkHolders.MapPost("", LinkPageApi.Follow);

        var uploadPage = Group(app, "/u/{id}", Access.Session);
        uploadPage.MapMethods("", _getOrHead, UploadPageApi.Open);
        uploadPage.MapPost("", UploadPageApi.Send);
        uploadPage.MapMethods("/pick/{source}", _getOrHead, PickPageApi.Open);
        uploadPage.MapPost("/pick/{source}", PickPageApi.Token);
        anyone.MapMethods(PickPageApi.ReturnPath, _getOrHead, PickPageApi.Return);

        anyone.MapMethods("/s/{code}", _getOrHead, ShortLinks.Open);

        var sessionHolders = Group(app, "/api/v1/upload/{id}", Access.Session);
        sessionHolders.MapGet("/session", SessionLinkApi.Info);
        sessionHolders.MapPost("/verify-password", SessionLinkApi.VerifyPassword);
        sessionHolders.MapPost("/complete", SessionLinkApi.Complete);
        sessionHolders.MapGet("/events", SessionStream.Open);
        sessionHolders.MapPost("/event-ticket", EventTicket.Create);
        sessionHolders.MapGet("/images", WidgetApi.Images);
        sessionHolders.MapGet("/images/{imageId}/thumbnail", WidgetApi.Thumbnail);
        sessionHolders.MapPost("/images", UploadApi.Create);
        sessionHolders.MapPost("/images/from-url", FetchApi.Create);
        sessionHolders.MapPatch("/images/{imageId}", SessionLinkApi.UpdateImage);
        sessionHolders.MapDelete("/images/{imageId}", SessionLinkApi.Withdraw);
        sessionHolders.MapMethods("/tus", ["OPTIONS"], TusApi.Options);
        sessionHolders.MapPost("/tus", TusApi.Create);
        sessionHolders.MapMethods("/tus/{upload}", _getOrHead, TusApi.Get);
        sessionHolders.MapPatch("/tus/{upload}", TusApi.Append);
        sessionHolders.MapDelete("/tus/{upload}", TusApi.Delete);
        sessionHolders.MapPost("/tus/{upload}", TusApi.Override);
        var sessionHoldersToo = Group(app, "/api/v1/sessions/{id}", Access.Session);
        sessionHoldersToo.MapGet("/events", SessionStream.Open).WithMetadata(new AliasOf("/api/v1/upload/{id}/events"));
        sessionHoldersToo.MapPost("/upload", UploadApi.Create).WithMetadata(new AliasOf("/api/v1/upload/{id}/images"));

        var lists = Group(app, "/api/v1", Access.Caller, Role.Viewer).WithMetadata(new ChoosesScope());
        lists.MapGet("/sessions", ProjectDataApi.Sessions).WithMetadata(_list);
        lists.MapGet("/sessions/recent", ProjectDataApi.RecentSessions).WithMetadata(_list);
        lists.MapGet("/uploads", ProjectDataApi.Uploads).WithMetadata(_list);
        lists.MapGet("/uploads/recent", ProjectDataApi.RecentUploads).WithMetadata(_list);
        lists.MapGet("/events", ProjectStream.Open);
        lists.MapGet("/stats", ProjectDataApi.Stats);
        lists.MapGet("/stats/daily", ProjectDataApi.DailyStats).WithMetadata(_list);

        var viewers = Group(app, "/api/v1", Access.Caller, Role.Viewer);
        viewers.MapGet("/upload-sessions/{id}", SessionsApi.Get);
        viewers.MapGet("/upload-sessions/{id}/delivery-status", DeliveryStatusApi.Get);
        viewers.MapGet("/upload-sessions/{id}/poll", PollApi.List);
        viewers.MapGet("/sessions/{id}/poll", PollApi.List).WithMetadata(new AliasOf("/api/v1/upload-sessions/{id}/poll"));
        viewers.MapGet("/upload-sessions/{id}/images/{imageId}", PollApi.Image);
        viewers.MapGet("/uploads/{id}", ProjectDataApi.Upload);
        viewers.MapPost("/uploads/archive", UploadApi.Archive).WithMetadata(new Unaudited());
        viewers.MapPost("/uploads/archive-ticket", UploadApi.ArchiveTicket).WithMetadata(new Unaudited());
        viewers.MapGet("/uploads/{id}/download", UploadApi.Download);
        viewers.MapGet("/images/{id}/download", UploadApi.Download).WithMetadata(new AliasOf("/api/v1/uploads/{id}/download"));
        viewers.MapGet("/uploads/{id}/thumbnail", UploadApi.Thumbnail);
        viewers.MapGet("/uploads/{id}/deliveries", DeliveriesApi.List).WithMetadata(_list);
        viewers.MapGet("/uploads/{id}/destinations/{destinationId}/attempts", DeliveriesApi.Attempts);
        viewers.MapGet("/projects", ProjectsApi.List).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}", ProjectsApi.Get);
        viewers.MapGet("/projects/{projectId}/destinations", DestinationsApi.List).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/destinations/{id}", DestinationsApi.Get);
        viewers.MapGet("/projects/{projectId}/destination-health", DestinationHealthApi.List).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/destinations/{id}/attempts", DestinationHealthApi.Hours).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/deliveries", DeliveriesApi.ListOfProject).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/replays", ReplaysApi.List).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/replays/{id}", ReplaysApi.Get);
        viewers.MapGet("/projects/{projectId}/webhooks", EventWebhooksApi.List).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Get);
        viewers.MapGet("/projects/{projectId}/webhooks/{id}/deliveries", EventDeliveriesApi.List).WithMetadata(_list);
        viewers.MapGet("/projects/{projectId}/webhooks/{id}/deliveries/{deliveryId}", EventDeliveriesApi.Get);
        viewers.MapGet("/projects/{projectId}/keys", KeysApi.List).WithMetadata(_list);
        viewers.MapGet("/destination-types", DestinationTypesApi.List).WithMetadata(_list);

        var developers = Group(app, "/api/v1", Access.Caller, Role.Developer);
        developers.MapPost("/upload-sessions", SessionsApi.Create).WithMetadata(_sessionCreation, new Unaudited());
        developers.MapPost("/sessions", SessionsApi.Create).WithMetadata(_sessionCreation, new Unaudited(), new AliasOf("/api/v1/upload-sessions"));
        developers.MapPatch("/upload-sessions/{id}", SessionsApi.Update);
        developers.MapDelete("/upload-sessions/{id}", SessionsApi.Delete);
        developers.MapPost("/upload-sessions/{id}/share", ShareApi.Create);
        developers.MapDelete("/upload-sessions/{id}/share", ShareApi.Revoke);
        developers.MapPost("/upload-sessions/{id}/complete", SessionsApi.Complete);
        developers.MapPost("/upload-sessions/{id}/images/{imageId}/ack", PollApi.Acknowledge).WithMetadata(new Unaudited());
        developers.MapPost("/images/{id}/ack", PollApi.AcknowledgeImage).WithMetadata(new Unaudited());
        developers.MapDelete("/uploads/{id}", UploadApi.Delete);
        developers.MapPost("/uploads/{id}/retry", DeliveriesApi.Retry);
        developers.MapPost("/projects/{projectId}/destinations", DestinationsApi.Create);
        developers.MapPatch("/projects/{projectId}/destinations/{id}", DestinationsApi.Update);
        developers.MapDelete("/projects/{projectId}/destinations/{id}", DestinationsApi.Delete);
        developers.MapPost("/projects/{projectId}/destinations/{id}/test", DestinationsApi.Test);
        developers.MapPost("/projects/{projectId}/destinations/{id}/authorize", OAuthApi.Authorize);
        developers.MapPost("/projects/{projectId}/replays", ReplaysApi.Create).WithMetadata(new ChoosesScope());
        developers.MapPost("/projects/{projectId}/replays/{id}/pause", ReplaysApi.Pause);
        developers.MapPost("/projects/{projectId}/replays/{id}/resume", ReplaysApi.Resume);
        developers.MapPost("/projects/{projectId}/replays/{id}/cancel", ReplaysApi.Cancel);
        developers.MapPost("/projects/{projectId}/keys", KeysApi.Create);
        developers.MapPatch("/projects/{projectId}/keys/{id}", KeysApi.Update);
        developers.MapDelete("/projects/{projectId}/keys/{id}", KeysApi.Delete);
        developers.MapPut("/keys/{id}/destinations", KeysApi.SetDestinations);
        developers.MapPost("/projects/{projectId}/keys/{id}/signing-secret", KeySecretsApi.CreateSigningSecret);
        developers.MapDelete("/projects/{projectId}/keys/{id}/signing-secret", KeySecretsApi.DeleteSigningSecret);
        developers.MapPost("/projects/{projectId}/keys/{id}/totp", KeySecretsApi.CreateTotp);
        developers.MapPost("/projects/{projectId}/keys/{id}/totp/confirm", KeySecretsApi.ConfirmTotp);
        developers.MapDelete("/projects/{projectId}/keys/{id}/totp", KeySecretsApi.DeleteTotp);
        developers.MapPost("/projects/{projectId}/webhooks", EventWebhooksApi.Create);
        developers.MapPatch("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Update);
        developers.MapDelete("/projects/{projectId}/webhooks/{id}", EventWebhooksApi.Delete);
        developers.MapPost("/projects/{projectId}/webhooks/{id}/test", EventDeliveriesApi.Test);
        developers.MapPost("/projects/{projectId}/webhooks/{id}/deliveries/{deliveryId}/retry", EventDeliveriesApi.Retry);

        var people = Group(app, "/api/v1", Access.Person);
        people.MapPost("/auth/logout", AuthApi.Logout);
        people.MapGet("/me", MeApi.Get);
        people.MapPost("/me/password", MeApi.ChangePassword);
        people.MapPost("/me/totp", MeApi.CreateTotp);
        people.MapPost("/me/totp/confirm", MeApi.ConfirmTotp);
        people.MapDelete("/me/totp", MeApi.DeleteTotp);
        people.MapPost("/projects", ProjectsApi.Create);

        var operators = Group(app, "/api/v1/admin", Access.Operator);
        operators.MapGet("/server", AdminApi.Get);
        operators.MapGet("/settings", AdminApi.ListSettings).WithMetadata(_list);
        operators.MapGet("/projects", AdminApi.ListProjects).WithMetadata(_list);
        operators.MapGet("/users", AdminUsersApi.List).WithMetadata(_list);
        operators.MapPost("/users/{userId}/disable", AdminUsersApi.Disable).WithMetadata(new Unaudited());
        operators.MapPost("/users/{userId}/enable", AdminUsersApi.Enable).WithMetadata(new Unaudited());

        var members = Group(app, "/api/v1/projects/{projectId}", Access.Person, Role.Viewer);
        members.MapGet("/members", MembersApi.List).WithMetadata(_list);
        members.MapDelete("/members/{userId}", MembersApi.Delete);

        var admins = Group(app, "/api/v1/projects/{projectId}", Access.Person, Role.Admin);
        admins.MapPatch("", ProjectsApi.Update);
        admins.MapPost("/webhook-secret/rotate", ProjectsApi.RotateWebhookSecret);
        admins.MapPost("/members", MembersApi.Invite);
        admins.MapPatch("/members/{userId}", MembersApi.Update);
        admins.MapGet("/invitations", MembersApi.ListInvitations).WithMetadata(_list);
        admins.MapDelete("/invitations/{id}", MembersApi.DeleteInvitation);
        admins.MapGet("/audit", AuditApi.List).WithMetadata(_list);

        var owners = Group(app, "/api/v1/projects/{projectId}", Access.Person, Role.Owner);
        owners.MapDelete("", ProjectsApi.Delete).WithMetadata(new Unaudited());
    }

    private static RouteGroupBuilder Group(WebApplication app, string prefix, Access access, Role? needed = null)
    {
        var group = app.MapGroup(prefix);
        group.WithMetadata(new AccessRule(access, needed));
        return group;
    }
}

/// <summary>Marks a route as another address, which older clients and documentation pages use, of one that is described.</summary>
internal sealed record AliasOf(string Path);
