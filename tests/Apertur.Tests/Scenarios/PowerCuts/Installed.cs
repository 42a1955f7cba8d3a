using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>A server on a disk that loses power, as its operator and its users see it.</summary>
/// <param name="Disk">Where all its data are.</param>
/// <param name="Launcher">A program that starts the others, such as one that takes their syncs away.</param>
/// <param name="Receiver">Takes what is delivered; it has power.</param>
internal sealed record Installed(LoopDisk Disk, IReadOnlyList<string> Launcher, Receiver Receiver) : IAsyncDisposable
{
    private const string Email = "owner@example.com";
    private const string Password = "correct horse";

    private readonly List<Process> _commands = [];
    private JsonNode? _printed;
    private AperturProcess? _server;
    private string? _token;
    private int _photos;

    public Promises Promises { get; } = new();

    /// <summary>Signed in as the owner.</summary>
    public AperturClient Owner => Server.ClientOf(_token!, ProjectId);

    public Guid ProjectId => Guid.Parse((string)_printed!["project"]!["id"]!);

    /// <summary>The destination that every photo is delivered to.</summary>
    public string Destination { get; private set; } = "";

    /// <summary>Whether <c>init</c> printed the keys: from then on the installation is promised.</summary>
    public bool IsPromised => _printed is not null;

    private AperturProcess Server => _server ?? throw new HttpRequestException("There is no server now.");

    // Two levels: the names of folders can be lost too.
    private string Data => Path.Combine(Disk.Path, "srv", "apertur");

    /// <summary>Runs a command to its end, or until it is killed.</summary>
    /// <returns>What it printed; null when it failed or was killed.</returns>
    public async Task<string?> CommandAsync(params string[] arguments)
    {
        var process = AperturProcess.Start(Launcher, [.. arguments, "--data", Data]);
        _commands.Add(process);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode == 0 ? output : null;
    }

    public async Task InitAsync()
    {
        if (await CommandAsync("init", "--email", Email, "--password", Password, "--project", "Claims", "--json") is { } output)
            _printed = JsonNode.Parse(output);
    }

    /// <summary>Also without a promised installation: a server must always start.</summary>
    public async Task ServeAsync() => _server = await AperturProcess.ServeAsync(Data, _printed, Launcher);

    public async Task SignInAsync() =>
        _token = (string)(await Server.ClientOf(null, ProjectId).PostAsync("auth/login", new { email = Email, password = Password }))
            .Expect(HttpStatusCode.OK).Json["token"]!;

    /// <summary>Puts something into the places that hold what is encrypted.</summary>
    public async Task KeepSecretsAsync()
    {
        var project = $"projects/{ProjectId}";
        var destination = (await Owner.PostAsync(
            $"{project}/destinations",
            new { type = "webhook", name = "Photos", config = new { url = Receiver.Url, format = "binary", secret = new string('s', 32) } }))
            .Expect(HttpStatusCode.Created).Json;
        Destination = (string)destination["id"]!;
        Promises.Keep($"{project}/destinations/{Destination}", "config.url", Receiver.Url);
        var hook = (await Owner.PostAsync($"{project}/webhooks", new { url = Receiver.Url, topics = new[] { "project.session.expired" } }))
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

    /// <summary>What a power cut does to processes.</summary>
    public async Task KillAsync()
    {
        foreach (var command in _commands)
        {
            if (!command.HasExited)
                command.Kill(entireProcessTree: true);
            await command.WaitForExitAsync(TestContext.Current.CancellationToken);
            command.Dispose();
        }

        _commands.Clear();
        if (_server is not null)
            await _server.DisposeAsync();
        _server = null;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await Disk.DisposeAsync();
    }
}
