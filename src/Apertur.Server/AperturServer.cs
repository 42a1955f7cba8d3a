using System.Security.Cryptography;
using Apertur.Destinations;
using Apertur.Server.Accounts;
using Apertur.Server.Audit;
using Apertur.Server.Auth;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Connections;
using Microsoft.EntityFrameworkCore;

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
            kestrel.Limits.MaxRequestBodySize = 1024 * 1024;
        });
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("Apertur", LogLevel.Information);
        // What keeps it from starting is said once, in words, by the command.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

        AddServices(builder.Services, settings);
        configure?.Invoke(builder.Services);
        var app = builder.Build();
        UsePipeline(app);
        Routes.Map(app);
        return app;
    }

    /// <summary>What the commands need too: settings, database, secrets, images.</summary>
    public static void AddStorage(IServiceCollection services, Settings settings)
    {
        var keys = Path.Combine(settings.DataFolder, "keys");
        DataLock.Make(settings.DataFolder);
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(keys);
        else
            Directory.CreateDirectory(keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        services.AddSingleton(settings);
        services.AddSingleton(TimeProvider.System);
        services.AddPooledDbContextFactory<AperturDb>(options => Database.Configure(settings, options));
        services.AddScoped(provider => provider.GetRequiredService<IDbContextFactory<AperturDb>>().CreateDbContext());
        services.AddSingleton<Database>();
        services.AddSingleton(_ => new ColumnEncryption(keys));
        services.AddSingleton(_ => new DerivedKeys(keys));
        services.AddSingleton(_ => new BlobStore(Path.Combine(settings.DataFolder, "images")));
    }

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

        services.AddSingleton<RateCounts>();
        services.AddSingleton<RateLimits>();
        services.AddSingleton<Tokens>();
        services.AddSingleton<SignIns>();
        services.AddSingleton<LoginThrottle>();
        services.AddSingleton<AuditLog>();

        services.AddSingleton<SessionNotifier>();
        services.AddSingleton<LongPoll>();
        services.AddSingleton<SessionPasswords>();
        services.AddSingleton<SessionGate>();
        services.AddSingleton<SessionStream>();
        services.AddSingleton<IMemoryPoolFactory<byte>, ReceiveBufferPool>();
        services.AddSingleton<UploadLimits>();
        services.AddSingleton<ImageIntake>();
        services.AddSingleton<EnvelopeIntake>();
        services.AddSingleton<ServerKeyPair.Generator>(() => RSA.Create(ServerKeyPair.Bits));
        services.AddSingleton<ServerKeyPair>();
        services.AddSingleton<UploadDeletion>();
        services.AddSingleton<Thumbnails>();

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

        services.AddSingleton<AsyncAutoResetEvent>();
        services.AddSingleton<DeliveryOutcomeWriter>();
        services.AddSingleton<DeliveryRun>();
        services.AddSingleton<IQueue, DeliveryQueue>();
        services.AddSingleton<EventWebhookSecrets>();
        services.AddSingleton<EventRequests>();
        services.AddSingleton<EventOutcomeWriter>();
        services.AddSingleton<EventRun>();
        services.AddSingleton<IQueue, EventQueue>();
        services.AddSingleton<Pump>();
        services.AddSingleton<ProjectRemoval>();
        services.AddHostedService<StartupTasks>();
        services.AddHostedService(provider => provider.GetRequiredService<Pump>());
        services.AddHostedService<OrphanCleanup>();
        services.AddHostedService(provider => provider.GetRequiredService<ProjectRemoval>());
        services.AddHostedService<EventSweep>();
        services.AddSingleton<SessionSweep>();
        services.AddHostedService(provider => provider.GetRequiredService<SessionSweep>());
        if (settings.Database.Provider == DatabaseProvider.PostgreSql)
            services.AddHostedService<PostgresNotifications>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(settings.Delivery.StopSeconds + 20));
    }

    private static void UsePipeline(WebApplication app)
    {
        var limits = app.Services.GetRequiredService<RateLimits>();
        if (TrustedProxies.Options(app.Services.GetRequiredService<Settings>().Server) is { } proxies)
            app.UseForwardedHeaders(proxies);
        app.UseMiddleware<ErrorResponses>();
        app.UseRouting();
        app.UseWhen(context => context.Request.Path.StartsWithSegments("/api"), api => api.UseCors(CrossOrigin.Allow));
        app.Use(limits.BeforeAuthenticationAsync);
        app.Use(RequestFraming.Check);
        app.UseMiddleware<Authentication>();
        app.Use(limits.AfterAuthenticationAsync);
    }
}
