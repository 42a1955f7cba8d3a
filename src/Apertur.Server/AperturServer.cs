using System.Security.Cryptography;
using Apertur.Destinations;
using Apertur.Server.Accounts;
using Apertur.Server.Audit;
using Apertur.Server.Auth;
using Apertur.Server.Backups;
using Apertur.Server.Blobs;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Fetching;
using Apertur.Server.Health;
using Apertur.Server.Http;
using Apertur.Server.OpenId;
using Apertur.Server.Pages;
using Apertur.Server.Pictures;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Realtime;
using Apertur.Server.Renditions;
using Apertur.Server.Replays;
using Apertur.Server.Retention;
using Apertur.Server.Sessions;
using Apertur.Server.Sharing;
using Apertur.Server.Storage;
using Apertur.Server.Telemetry;
using Apertur.Server.Thumbnails;
using Apertur.Server.Tus;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Connections;
using Npgsql;

namespace Apertur.Server;

/// <summary>Puts the server together: services, pipeline, workers.</summary>
internal static class AperturServer
{
    /// <summary>A server that is ready to be started. The data folder is made when missing.</summary>
    /// <param name="settings">Where everything is and what it may cost.</param>
    /// <param name="urls">Addresses to listen on.</param>
    /// <param name="configure">More services, or others: for programs around this one, and tests.</param>
    public static WebApplication Build(Settings settings, IEnumerable<string> urls, Action<IServiceCollection>? configure = null)
    {
        // Not CreateBuilder: no file or argument may change this server unless it is one of its own settings.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection();
        builder.WebHost.UseUrls([.. urls]);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.RequestHeaderEncodingSelector = _ => Utf8OrLatin1.Instance;
            kestrel.Limits.MaxRequestBodySize = 1024 * 1024;
        });
        // Half of what may be open: each may bring a photo, which is a file.
        ConnectionLimit.Add(builder.Services, ProcessLimits.MostOpenFiles / 2);
        TelemetrySetup.AddLogs(builder.Logging.ClearProviders(), settings.Telemetry);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("Apertur", LogLevel.Information);
        // What keeps it from starting is said once, in words, by the command.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

        AddServices(builder.Services, settings);
        TelemetrySetup.Add(builder.Services, builder.Configuration, settings.Telemetry);
        configure?.Invoke(builder.Services);
        var app = builder.Build();
        UsePipeline(app);
        Routes.Map(app);
        return app;
    }

    /// <summary>What the commands need too: settings, database, secrets, images.</summary>
    public static void AddStorage(IServiceCollection services, Settings settings)
    {
        DataLock.Make(settings.DataFolder);
        services.AddSingleton(settings);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<DatabaseDamage>();
        var postgreSql = settings.Database.Provider == DatabaseProvider.PostgreSql
            ? PostgresSession.Open(settings.Database.ConnectionString)
            : null;
        if (postgreSql is not null)
            services.AddSingleton(_ => postgreSql);
        var warm = Database.WarmUpAsync(settings, postgreSql);
        services.AddPooledDbContextFactory<AperturDb>((provider, options) =>
        {
            warm.GetAwaiter().GetResult();
            Database.Configure(settings, provider.GetService<NpgsqlDataSource>(), options);
            provider.GetRequiredService<DatabaseDamage>().Watch(options);
        });
        services.AddSingleton<SessionNotifier>();
        services.AddSingleton<AsyncAutoResetEvent>();
        services.AddSingleton<Database>();
        services.AddScoped(provider => provider.GetRequiredService<Database>().Open());
        if (settings.Keys.Place == KeysPlace.Database)
        {
            services.AddSingleton<IKeyStore, KeyTable>();
        }
        else
        {
            DurableFile.CreateDirectory(settings.KeysFolder);
            services.AddSingleton<IKeyStore>(_ => new KeyFolder(settings.KeysFolder));
        }

        services.AddSingleton<ColumnEncryption>();
        services.AddSingleton<DerivedKeys>();
        services.AddSingleton(_ => OpenFolder(settings));
        services.AddSingleton(provider => new BlobStore(
            Place(provider, settings.Storage.Kind), settings.Storage.ReadAlso is { } also ? Place(provider, also) : null));
        services.AddSingleton<ImagesOwner>();
        services.AddSingleton<Quarantine>();
        services.AddSingleton<StoredImages>();
        services.AddSingleton<StorageCheck>();
        services.AddSingleton<CountCheck>();
        services.AddSingleton<SecretCheck>();
        services.AddSingleton<Adoption>();
        services.AddSingleton<Backup>();
        services.AddSingleton<Restore>();
    }

    /// <summary>One of the places that photos can be in.</summary>
    public static IBlobs OpenBlobs(Settings settings, StorageKind kind) =>
        kind == StorageKind.S3 ? new S3Blobs(settings.Storage.S3) : OpenFolder(settings);

    private static FolderBlobs OpenFolder(Settings settings) => new(Path.Combine(settings.DataFolder, "images"));

    // The folder is also where photos wait that lose their metadata, wherever they go then.
    private static IBlobs Place(IServiceProvider provider, StorageKind kind) => kind == StorageKind.S3
        ? OpenBlobs(provider.GetRequiredService<Settings>(), kind)
        : provider.GetRequiredService<FolderBlobs>();

    private static void AddServices(IServiceCollection services, Settings settings)
    {
        AddStorage(services, settings);
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, WireJson.Wire);
            json.SerializerOptions.Encoder = WireJson.Wire.Options.Encoder;
            foreach (var converter in WireJson.Wire.Options.Converters)
                json.SerializerOptions.Converters.Add(converter);
        });
        services.AddCors();
        services.AddSingleton<PublicAddress>();
        services.AddSingleton<DownloadLinks>();
        services.AddSingleton<Messenger>();

        services.AddSingleton<Readiness>();
        services.AddSingleton<IReadinessCheck, DatabaseCheck>();
        services.AddSingleton<IReadinessCheck, ImageStoreCheck>();
        services.AddSingleton<IReadinessCheck, PhotosCheck>();
        services.AddSingleton<IReadinessCheck, HeldRowsCheck>();
        services.AddSingleton<IReadinessCheck, DiskSpaceCheck>();
        services.AddSingleton<IReadinessCheck, WorkersCheck>();
        services.AddSingleton<OperatorWatch>();

        services.AddSingleton<StopDeadline>();
        services.AddSingleton<RateCounts>();
        services.AddSingleton<StrangerCounts>();
        services.AddSingleton<RateLimits>();
        services.AddSingleton<Tokens>();
        services.AddSingleton<SignIns>();
        services.AddSingleton<LoginThrottle>();
        services.AddSingleton<PasswordSignIn>();
        OpenIdClient.Add(services, settings);
        services.AddSingleton<AuditLog>();

        services.AddSingleton<SharedReads>();
        services.AddSingleton<LongPoll>();
        services.AddSingleton<SessionPasswords>();
        services.AddSingleton<SessionGate>();
        services.AddSingleton<WidgetTokens>();
        services.AddSingleton<SessionFeed>();
        services.AddSingleton<SessionStream>();
        services.AddSingleton<ProjectFeed>();
        services.AddSingleton<ProjectStream>();
        services.AddSingleton<UploadNamespace>();
        services.AddSingleton(provider => new SocketServer(
            new EngineOptions(), SocketServer.DefaultConnectTimeout, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<UploadNamespace>().Describe()));
        services.AddSingleton<IMemoryPoolFactory<byte>, ReceiveBufferPool>();
        services.AddSingleton<UploadLimits>();
        services.AddSingleton<StrippedPhotos>();
        services.AddSingleton<ImageIntake>();
        services.AddSingleton<EnvelopeIntake>();
        services.AddKeyedSingleton(
            nameof(PhotoFetch), (_, _) => new OutboundHttp(settings.Sources.AllowPrivateNetworks, tellsOfTraces: false));
        services.AddSingleton(_ => new CloudSources(settings));
        services.AddSingleton<PhotoFetch>();
        services.AddSingleton<PickerTokens>();
        services.AddSingleton<FetchPlaces>();
        services.AddSingleton<FolderParts>();
        services.AddSingleton<IPartStore>(provider => provider.GetRequiredService<BlobStore>().Blobs is S3Blobs bucket
            ? new ObjectParts(bucket)
            : provider.GetRequiredService<FolderParts>());
        services.AddSingleton<PartialUploads>();
        services.AddSingleton<ServerKeyPair.Generator>(() => RSA.Create(ServerKeyPair.Bits));
        services.AddSingleton<ServerKeyPair>();
        services.AddSingleton<UploadDeletion>();
        services.AddSingleton<Visitors>();
        services.AddSingleton<PictureProcess>();
        services.AddSingleton<Logos>();
        services.AddSingleton<ThumbnailStore>();
        services.AddSingleton<RenditionStore>();

        services.AddSingleton(_ => new OutboundHttp(settings.Outbound.AllowPrivateNetworks));
        services.AddSingleton(provider => new DestinationTypes(
        [
            .. DestinationTypes.BuiltIn(
                provider.GetRequiredService<OutboundHttp>(), provider.GetRequiredService<TimeProvider>(), settings.ForDestinations()),
            .. provider.GetServices<IDestinationType>(),
        ]));
        services.AddSingleton<DestinationConfigs>();
        services.AddSingleton<OAuthTokens>();
        services.AddSingleton<ResumeNotes>();

        services.AddSingleton<DeliveryOutcomeWriter>();
        services.AddSingleton<DeliveryRun>();
        services.AddSingleton<DeliveryQueue>();
        services.AddSingleton<IQueue>(provider => provider.GetRequiredService<DeliveryQueue>());
        services.AddSingleton<DirectClaims>();
        services.AddSingleton<EventWebhookSecrets>();
        services.AddSingleton<EventRequests>();
        services.AddSingleton<EventOutcomeWriter>();
        services.AddSingleton<EventRun>();
        services.AddSingleton<IQueue, EventQueue>();
        services.AddSingleton<Pump>();
        services.AddSingleton<ProjectRemoval>();
        services.AddHostedService<StartupTasks>();
        services.AddHostedService(provider => provider.GetRequiredService<OperatorWatch>());
        services.AddSingleton<PhotoRetention>();
        services.AddSingleton<HistoryRetention>();
        services.AddSingleton<ReplayQueue>();
        services.AddSingleton<BreakerSweep>();
        services.AddSingleton<SessionSweep>();
        services.AddHostedService<OrphanCleanup>();
        if (settings.Role != NodeRole.Web)
        {
            services.AddHostedService(provider => provider.GetRequiredService<Pump>());
            services.AddHostedService(provider => provider.GetRequiredService<ProjectRemoval>());
            services.AddHostedService<EventSweep>();
            services.AddHostedService(provider => provider.GetRequiredService<PhotoRetention>());
            services.AddHostedService(provider => provider.GetRequiredService<HistoryRetention>());
            services.AddHostedService(provider => provider.GetRequiredService<ReplayQueue>());
            services.AddHostedService(provider => provider.GetRequiredService<BreakerSweep>());
            services.AddHostedService(provider => provider.GetRequiredService<SessionSweep>());
        }

        if (settings.Database.Provider == DatabaseProvider.PostgreSql)
        {
            services.AddHostedService<PostgresNotifications>();
            services.AddHostedService<WorkerSigns>();
        }

        // Uploads first, then deliveries: workers are stopped when the last request has ended.
        services.Configure<HostOptions>(host => host.ShutdownTimeout =
            (2 * TimeSpan.FromSeconds(settings.Delivery.StopSeconds)) + StopDeadline.Grace + TimeSpan.FromSeconds(3));
    }

    private static void UsePipeline(WebApplication app)
    {
        var limits = app.Services.GetRequiredService<RateLimits>();
        if (TrustedProxies.Options(app.Services.GetRequiredService<Settings>().Server) is { } proxies)
            app.UseForwardedHeaders(proxies);
        app.UseMiddleware<ErrorResponses>();
        // Engine.IO has pings of its own.
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.Zero });
        app.UseRouting();
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments("/api") || context.Request.Path.StartsWithSegments(SocketApi.Path)
                || context.Request.Path == WebAssets.WidgetPath,
            api => api.UseCors(CrossOrigin.Allow));
        app.Use(app.Services.GetRequiredService<StopDeadline>().RefuseAsync);
        app.Use(limits.BeforeAuthenticationAsync);
        app.Use(RequestFraming.Check);
        app.UseMiddleware<Authentication>();
        app.Use(limits.AfterAuthenticationAsync);
    }
}
