using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Apertur.Bench.Ingest;

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

    private Ours(int port, Process process, string data, string key)
        : base("ours", port, process) => (_data, _key) = (data, key);

    public static Ours Start(string program, string folder)
    {
        var data = Path.Combine(folder, "ours");
        string[] arguments =
            ["init", "--data", data, "--email", "bench@example.com", "--password", "bench-bench-bench", "--project", "Bench", "--json"];
        var init = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        using var made = Process.Start(init)!;
        using var printed = JsonDocument.Parse(made.StandardOutput.ReadToEnd());
        made.WaitForExit();
        var key = printed.RootElement.GetProperty("keys").GetProperty("live").GetString()!;

        var environment = new Dictionary<string, string> { ["APERTUR__RateLimits__Enabled"] = "false" };
        var port = new TaskCompletionSource<int>();
        var process = Start(program, environment, line =>
        {
            if (line is null)
                port.TrySetException(new IOException("ours: the server ended."));
            else if (Listening().Match(line) is { Success: true } match)
                port.TrySetResult(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        }, "serve", "--data", data, "--urls", "http://127.0.0.1:0");
        return new Ours(port.Task.GetAwaiter().GetResult(), process, data, key);
    }

    /// <summary>Every client has a session of its own, replaced before it is full.</summary>
    public override void Prepare(int clients, int requestsPerClient)
    {
        using var connection = new Connection(Port);
        for (var client = 0; client < clients; client++)
        {
            if (client < _sessions.Count && _sessions[client].Left >= requestsPerClient)
                continue;
            var body = Bytes($$"""{"max_images":{{ImagesPerSession}},"max_image_size_mb":50}""");
            connection.Send([Bytes($"POST /api/v1/upload-sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {_key}\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n"), body]);
            using var created = JsonDocument.Parse(connection.Receive());
            var session = (Bytes($"POST /api/v1/upload/{created.RootElement.GetProperty("id").GetString()}/images HTTP/1.1\r\n"), ImagesPerSession);
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
