using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Apertur.Bench;

/// <summary>This repository's server with its default settings, except that it does not limit rates: all clients come from one address.</summary>
internal sealed partial class Ours : Peer
{
    private const int ImagesPerSession = 500;
    private const string Boundary = "----ingest-bench-4f1c9a";

    private static readonly byte[] _partHead = Bytes(
        $"--{Boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n");

    private static readonly byte[] _partTail = Bytes($"\r\n--{Boundary}--\r\n");

    private readonly string _data;
    private readonly string _key;
    private readonly List<(byte[] Path, int Left)> _sessions = [];

    private Ours(int port, Process process, string data, string key, string project)
        : base("ours", port, process) => (_data, _key, Project) = (data, key, project);

    public string Project { get; }

    /// <summary>Where the photos of new sessions go.</summary>
    public IReadOnlyList<string> Destinations { get; set; } = [];

    /// <param name="program">How the server is started.</param>
    /// <param name="folder">Where its data goes.</param>
    /// <param name="postgres">A connection string; null for SQLite.</param>
    public static Ours Start(string program, string folder, string? postgres = null)
    {
        // It may call receivers on this machine, and all clients have one address.
        var environment = new Dictionary<string, string>
        {
            ["APERTUR__RateLimits__Enabled"] = "false",
            ["APERTUR__Outbound__AllowPrivateNetworks"] = "true",
            ["APERTUR__Telemetry__MetricsUrl"] = "",
        };
        if (postgres is not null)
        {
            environment["APERTUR__Database__Provider"] = "PostgreSql";
            environment["APERTUR__Database__ConnectionString"] = postgres;
        }

        var data = Path.Combine(folder, "ours");
        string[] arguments =
            ["init", "--data", data, "--email", "bench@example.com", "--password", "bench-bench-bench", "--project", "Bench", "--json"];
        var init = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
            init.Environment[name] = value;
        using var made = Process.Start(init)!;
        using var printed = JsonDocument.Parse(made.StandardOutput.ReadToEnd());
        made.WaitForExit();
        var key = printed.RootElement.GetProperty("keys").GetProperty("live").GetString()!;

        var port = new TaskCompletionSource<int>();
        var process = Start(program, environment, line =>
        {
            if (line is null)
                port.TrySetException(new IOException("ours: the server ended."));
            else if (Listening().Match(line) is { Success: true } match)
                port.TrySetResult(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        }, "serve", "--data", data, "--urls", "http://127.0.0.1:0");
        return new Ours(
            port.Task.GetAwaiter().GetResult(), process, data, key, printed.RootElement.GetProperty("project").GetProperty("id").GetString()!);
    }

    /// <summary>Makes one call with the key, and gives the answer.</summary>
    /// <exception cref="IOException">It was refused.</exception>
    public JsonElement Call(string method, string path, string json = "")
    {
        using var connection = new Connection(Port);
        connection.Send([Bytes($"{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {_key}\r\n"
            + $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(json)}\r\n\r\n"), Encoding.UTF8.GetBytes(json)]);
        using var answer = JsonDocument.Parse(connection.Receive() is { Length: > 0 } text ? text : "null");
        return answer.RootElement.Clone();
    }

    /// <summary>Every client has a session of its own, replaced before it is full.</summary>
    public override void Prepare(int clients, int requestsPerClient)
    {
        for (var client = 0; client < clients; client++)
        {
            if (client < _sessions.Count && _sessions[client].Left >= requestsPerClient)
                continue;
            var created = Call("POST", "/upload-sessions", $$"""
                {"max_images":{{ImagesPerSession}},"max_image_size_mb":50,"destination_ids":[{{string.Join(',', Destinations.Select(id => $"\"{id}\""))}}]}
                """);
            var session = (Bytes($"POST /api/v1/upload/{created.GetProperty("id").GetString()}/images HTTP/1.1\r\n"), ImagesPerSession);
            if (client < _sessions.Count)
                _sessions[client] = session;
            else
                _sessions.Add(session);
        }
    }

    public override IList<ArraySegment<byte>> Request(int client, byte[] image)
    {
        var (path, left) = _sessions[client];
        _sessions[client] = (path, left - 1);
        var length = _partHead.Length + image.Length + _partTail.Length;
        return
        [
            path,
            Bytes($"Host: localhost\r\nContent-Type: multipart/form-data; boundary={Boundary}\r\nContent-Length: {length}\r\n\r\n"),
            _partHead, image, _partTail,
        ];
    }

    public override void Clear()
    {
        foreach (var file in Directory.EnumerateFiles(_data, "*", SearchOption.AllDirectories))
            if (Guid.TryParseExact(Path.GetFileName(file), "D", out _))
                File.Delete(file);
    }

    [GeneratedRegex("listening on http://127.0.0.1:([0-9]+)")]
    private static partial Regex Listening();
}
