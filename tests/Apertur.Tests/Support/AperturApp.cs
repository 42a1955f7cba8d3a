using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Projects;
using Apertur.Server;
using Apertur.Server.Encryption;
using Apertur.Server.Queue;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Apertur.Tests.Support;

/// <summary>
/// The whole server: real Kestrel on a free loopback port, a real database, a data folder of its own, an owner with a project and keys.
/// Only its clock is the test's, and it may deliver to loopback addresses.
/// </summary>
/// <example><code>
/// await using var app = await AperturApp.StartAsync(database);
/// var session = await app.Client.CreateSessionAsync();
/// await app.Client.UploadAsync(session, Photos.Jpeg());
/// </code></example>
internal sealed class AperturApp : IAsyncDisposable
{
    private static readonly Lazy<RSAParameters> _keyPair = new(() =>
    {
        using var rsa = RSA.Create(ServerKeyPair.Bits);
        return rsa.ExportParameters(includePrivateParameters: true);
    });

    private readonly TempFolder _data = new();
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    // Every test comes from one address, with one key, and within one minute of a clock that stands still.
    private readonly Dictionary<string, string?> _settings = new()
    {
        ["Outbound:AllowPrivateNetworks"] = "true",
        ["Sources:AllowPrivateNetworks"] = "true",
        ["RateLimits:Enabled"] = "false",
        // What the machine has must not decide what is answered; the tests of thumbnails ask for them.
        ["Thumbnails:AtOnce"] = "0",
        ["Operator:WarnBelowFreeMb"] = "0",
        ["Telemetry:MetricsUrl"] = "",
    };

    private readonly Action<IServiceCollection>? _configure;
    private TestDatabase? _postgreSql;
    private WebApplication? _server;
    private Installation? _installation;

    private AperturApp(Action<IServiceCollection>? configure) => _configure = configure;

    /// <summary>Stands still; see <see cref="PassAsync"/>.</summary>
    public TestClock Clock { get; } = new();

    public TestLog Log { get; } = new();

    /// <summary>What it does, from the next start on.</summary>
    public NodeRole Role { get; set; }

    /// <summary>Where images, keys and, with SQLite, the database are.</summary>
    public string DataFolder => _data.Path;

    /// <summary>Where it listens, without a slash at the end; another port after <see cref="RestartAsync"/>.</summary>
    public string Url => Running.Urls.Single();

    public string LiveKey => Installed.LiveKey;

    public string TestKey => Installed.TestKey;

    public Guid ProjectId => Installed.Project.Id;

    /// <summary>Calls this server as the owner's live key.</summary>
    public AperturClient Client => ClientOf(LiveKey);

    public IServiceProvider Services => Running.Services;

    private WebApplication Running => _server ?? throw new InvalidOperationException("The server is stopped.");

    private Installation Installed => _installation ?? throw new InvalidOperationException("The server was never started.");

    /// <param name="database">Where rows are kept.</param>
    /// <param name="settings">Settings as <c>Section:Key</c>, over the defaults.</param>
    /// <param name="configure">Other services, for what cannot be had for real.</param>
    /// <param name="role">What this node does.</param>
    public static async Task<AperturApp> StartAsync(
        DatabaseKind database, IReadOnlyDictionary<string, string?>? settings = null, Action<IServiceCollection>? configure = null,
        NodeRole role = NodeRole.All)
    {
        var app = new AperturApp(configure) { Role = role };
        foreach (var (name, value) in settings ?? new Dictionary<string, string?>())
            app._settings[name] = value;
        try
        {
            if (database == DatabaseKind.PostgreSql)
            {
                app._postgreSql = await TestDatabase.CreateAsync(database, await DatabaseTemplate.PostgreSqlAsync());
                app._settings["Database:Provider"] = nameof(DatabaseProvider.PostgreSql);
                app._settings["Database:ConnectionString"] = app._postgreSql.ConnectionString;
                // The one that tests use is a throwaway and syncs nothing.
                app._settings.TryAdd("Database:AllowDataLoss", "true");
            }
            else
            {
                await DatabaseTemplate.CopySqliteAsync(app.DataFolder);
            }

            await app.StartServerAsync();
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Calls this server with that key, or with none.</summary>
    public AperturClient ClientOf(string? key) => ClientOf(key, ProjectId);

    /// <summary>The same in another project.</summary>
    public AperturClient ClientOf(string? key, Guid projectId) => new(_http, Url, projectId, key);

    /// <summary>Runs a command of the program on this data folder, which must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<JsonNode> CommandAsync(params string[] arguments)
    {
        var (code, output, errors) = await TryCommandAsync(arguments);
        Assert.True(code == 0, $"{string.Join(' ', arguments)}: {code}: {errors} {output}");
        return JsonNode.Parse(output)!;
    }

    /// <summary>Runs a command of the program on this data folder.</summary>
    public Task<(int ExitCode, string Output, string Errors)> TryCommandAsync(params string[] arguments)
    {
        WriteSettings();
        return AperturProcess.RunAsync([.. arguments, "--json", "--data", DataFolder]);
    }

    /// <summary>Tells programs that run on the same data folder where rows, photos and keys are.</summary>
    public void WriteSettings()
    {
        var json = new JsonObject();
        foreach (var (name, value) in _settings.Where(setting => setting.Key.Split(':')[0] is "Database" or "Storage" or "Keys"))
        {
            var names = name.Split(':');
            var section = json;
            foreach (var outer in names[..^1])
                section = (section[outer] ??= new JsonObject()).AsObject();
            section[names[^1]] = value;
        }

        File.WriteAllText(Path.Combine(DataFolder, "apertur.json"), json.ToJsonString());
    }

    /// <summary>Gives another data folder the keys and the images of this one: what nodes that share a database must have.</summary>
    public void ShareFolders(string dataFolder)
    {
        Directory.CreateSymbolicLink(Path.Combine(dataFolder, "images"), Path.Combine(DataFolder, "images"));
        var keys = Directory.CreateDirectory(Path.Combine(dataFolder, "keys")).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(DataFolder, "keys")))
            File.Copy(file, Path.Combine(keys, Path.GetFileName(file)));
    }

    /// <summary>What a node needs to know to share this one's database and, where they are not in a folder, its photos and keys.</summary>
    public IReadOnlyDictionary<string, string?> SharedSettings => _settings;

    /// <summary>Changes a setting, from the next start on.</summary>
    public void Set(string name, string? value) => _settings[name] = value;

    /// <summary>Stops as on SIGTERM, and starts again on the same data.</summary>
    public async Task RestartAsync(Func<Task>? whileStopped = null)
    {
        await StopServerAsync();
        if (whileStopped is not null)
            await whileStopped();
        await StartServerAsync();
    }

    /// <summary>
    /// Lets time pass for the server, after the deliveries that are under way have ended, and has it look at once for what has become due.
    /// </summary>
    public async Task PassAsync(TimeSpan time)
    {
        await Eventually.Arrives(Services.GetRequiredService<Pump>().DrainAsync());
        Clock.Jump(time);
        Services.GetRequiredService<AsyncAutoResetEvent>().Set();
    }

    public async ValueTask DisposeAsync()
    {
        await StopServerAsync();
        _http.Dispose();
        if (_postgreSql is not null)
            await _postgreSql.DisposeAsync();
        _data.Dispose();
    }

    private async Task StartServerAsync()
    {
        var settings = Settings.Load(_data.Path, _settings);
        settings.Role = Role;
        _server = AperturServer.Build(settings, ["http://127.0.0.1:0"], services =>
        {
            services.AddSingleton<TimeProvider>(Clock);
            // Making one takes half a second; hundreds of tests need none of their own.
            services.AddSingleton<ServerKeyPair.Generator>(() => RSA.Create(_keyPair.Value));
            services.AddLogging(logging => logging.ClearProviders().AddProvider(Log));
            _configure?.Invoke(services);
        });
        _installation ??= await Installation.CreateAsync(
            _server.Services, People.OwnerEmail, People.OwnerPasswordHash, "Claims", beforeCommit: null, TestContext.Current.CancellationToken);
        await _server.StartAsync(TestContext.Current.CancellationToken);
    }

    private async Task StopServerAsync()
    {
        if (_server is not { } server)
            return;
        _server = null;
        await server.StopAsync(CancellationToken.None);
        await server.DisposeAsync();
    }
}
