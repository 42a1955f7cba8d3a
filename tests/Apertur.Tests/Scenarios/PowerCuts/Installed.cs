using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>
/// An installation on machines that lose power, as its operator and its users see it: one server with its data on its own disk, or several whose rows
/// are in a PostgreSQL on a disk of its own and whose photos are in an object store.
/// </summary>
internal sealed class Installed(IReadOnlyList<ServerMachine> servers, DatabaseMachine? database, Bucket? bucket, Receiver receiver) : IAsyncDisposable
{
    private const string Email = "owner@example.com";
    private const string Password = "correct horse";

    private JsonNode? _printed;
    private string? _token;
    private int _photos;

    public Promises Promises { get; } = new();

    /// <summary>Each can lose power by itself.</summary>
    public IReadOnlyList<Machine> Machines { get; } = database is null ? servers : [.. servers, database];

    /// <summary>The machine whose power is cut next. Commands are given there, if it is none of the database's.</summary>
    public Machine Victim { get; set; } = servers[0];

    /// <summary>Signed in as the owner, at any server that runs.</summary>
    public AperturClient Owner => Server.ClientOf(_token!, ProjectId);

    public Guid ProjectId => Guid.Parse((string)_printed!["project"]!["id"]!);

    /// <summary>The destination that every photo is delivered to.</summary>
    public string Destination { get; private set; } = "";

    /// <summary>Whether <c>init</c> printed the keys: from then on the installation is promised.</summary>
    public bool IsPromised => _printed is not null;

    // As a balancer chooses. Nothing answers while the only one is away.
    private AperturProcess Server
    {
        get
        {
            var running = servers.Select(machine => machine.Server).OfType<AperturProcess>().ToList();
            return running.Count > 0 ? running[Random.Shared.Next(running.Count)] : throw new HttpRequestException("There is no server now.");
        }
    }

    /// <param name="fileSystem">Of its disk.</param>
    /// <param name="launcher">See <see cref="ServerMachine"/>.</param>
    public static async Task<Installed> OneAsync(string fileSystem, IReadOnlyList<string> launcher) =>
        new([new ServerMachine(await LoopDisk.MakeAsync(fileSystem), launcher)], database: null, bucket: null, await ReceiverAsync());

    /// <param name="fileSystem">Of their disks.</param>
    /// <param name="servers">How many.</param>
    /// <param name="synced">Whether PostgreSQL syncs what it commits.</param>
    public static async Task<Installed> SeveralAsync(string fileSystem, int servers, bool synced)
    {
        var database = await DatabaseMachine.MakeAsync(await LoopDisk.MakeAsync(fileSystem), synced);
        var bucket = await Bucket.MakeAsync();
        var settings = new JsonObject
        {
            ["Database"] = new JsonObject { ["Provider"] = "PostgreSql", ["ConnectionString"] = database.ConnectionString, ["AllowDataLoss"] = !synced },
            ["Keys"] = new JsonObject { ["Place"] = "Database", ["WrappingKey"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) },
        };
        SettingsFile.Add(settings, bucket.StorageSettings());
        var machines = new List<ServerMachine>();
        while (machines.Count < servers)
        {
            machines.Add(new ServerMachine(await LoopDisk.MakeAsync(fileSystem), launcher: []));
            await machines[^1].ConfigureAsync(settings);
        }

        return new Installed(machines, database, bucket, await ReceiverAsync());
    }

    /// <inheritdoc cref="ServerMachine.CommandAsync"/>
    public Task<string?> CommandAsync(params string[] arguments) => (Victim as ServerMachine ?? servers[0]).CommandAsync(arguments);

    public async Task InitAsync()
    {
        if (await CommandAsync("init", "--email", Email, "--password", Password, "--project", "Claims", "--json") is { } output)
            _printed = JsonNode.Parse(output);
    }

    /// <summary>Starts every server that does not run, and waits until all are ready. Also without a promised installation: a server must always start.</summary>
    public async Task ServeAsync()
    {
        foreach (var machine in servers)
            await machine.ServeAsync();
        foreach (var machine in servers)
            await Eventually.Becomes(() => machine.Server!.ClientOf(null).GetAsync("/readyz"), answer => answer.Status == HttpStatusCode.OK, "it is ready");
    }

    public async Task SignInAsync() =>
        _token = (string)(await Server.ClientOf(null, ProjectId).PostAsync("auth/login", new { email = Email, password = Password }))
            .Expect(HttpStatusCode.OK).Json["token"]!;

    /// <summary>Puts something into the places that hold what is encrypted.</summary>
    public async Task KeepSecretsAsync()
    {
        var project = $"projects/{ProjectId}";
        var destination = (await Owner.PostAsync(
            $"{project}/destinations",
            new { type = "webhook", name = "Photos", config = new { url = receiver.Url, format = "binary", secret = new string('s', 32) } }))
            .Expect(HttpStatusCode.Created).Json;
        Destination = (string)destination["id"]!;
        Promises.Keep($"{project}/destinations/{Destination}", "config.url", receiver.Url);
        var hook = (await Owner.PostAsync($"{project}/webhooks", new { url = receiver.Url, topics = new[] { "project.session.expired" } }))
            .Expect(HttpStatusCode.Created).Json;
        Promises.Keep($"{project}/webhooks/{hook["id"]}", "secret", (string)hook["secret"]!);
        var secret = (await Owner.PostAsync($"{project}/webhook-secret/rotate")).Expect(HttpStatusCode.OK).Json["webhookSecret"];
        Promises.Keep(project, "webhookSecret", (string)secret!);
        // Signed with server-secret.
        Promises.Keep("me", "email", Email);
        var key = (await Owner.GetAsync("encryption/server-key")).Expect(HttpStatusCode.OK).Json["publicKey"];
        Promises.Keep("encryption/server-key", "publicKey", (string)key!);
    }

    /// <returns>A new session's id.</returns>
    public Task<string> SessionAsync(Guid? project = null) => Owner.CreateSessionAsync(new JsonObject
    {
        ["project_id"] = (project ?? ProjectId).ToString(),
        ["max_images"] = 500,
        ["destination_ids"] = project is null ? new JsonArray(Destination) : new JsonArray(),
    });

    /// <summary>Sends a photo that no other is equal to.</summary>
    /// <inheritdoc cref="Promises.UploadAsync"/>
    public Task<string?> UploadAsync(string session, bool lasting = true)
    {
        var number = Interlocked.Increment(ref _photos);
        return Promises.UploadAsync(Owner, session, $"{number}.jpg", Photos.Jpeg(4_000 + (number * 7919 % 120_000), seed: number), lasting);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var machine in Machines)
            await machine.DisposeAsync();
        bucket?.Dispose();
        await receiver.DisposeAsync();
    }

    /// <summary>Takes what is delivered; it has power.</summary>
    private static async Task<Receiver> ReceiverAsync()
    {
        var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        return receiver;
    }
}
