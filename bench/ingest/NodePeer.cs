using System.Diagnostics;
using System.Globalization;

namespace Apertur.Bench.Ingest;

/// <summary>A server that others have built on Node.js, one request for each photo, storing files on the same disk. They sync nothing.</summary>
internal sealed class NodePeer : Peer
{
    private const string Scripts = "bench/shared/peers";

    // Parse Server would log into the folder that it is started in.
    private static readonly Dictionary<string, string> _environment = new() { ["PARSE_SERVER_LOGS_FOLDER"] = "null" };

    private readonly string _store;
    private readonly string _head;

    private NodePeer(string name, int port, Process process, string store, string head)
        : base(name, port, process) => (_store, _head) = (store, head);

    /// <summary>Whether their packages are there, which <c>bench/run</c> installs.</summary>
    public static bool AreInstalled => Directory.Exists($"{Scripts}/node_modules");

    /// <summary><c>@tus/server</c>: creation with upload.</summary>
    public static NodePeer Tus(string folder) =>
        Start("tus", folder, "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {0}\r\nContent-Type: application/offset+octet-stream\r\n");

    /// <summary><c>parse-server</c>, which wants a database, though a file needs nothing of it.</summary>
    /// <param name="folder">For its files.</param>
    /// <param name="database">As a <c>postgres://</c> address.</param>
    public static NodePeer Parse(string folder, string database) =>
        Start("parse", folder, "POST /parse/files/photo.jpg HTTP/1.1\r\nX-Parse-Application-Id: bench\r\nContent-Type: image/jpeg\r\n", database);

    public override IList<ArraySegment<byte>> Request(int client, byte[] image) =>
    [
        Bytes(string.Create(CultureInfo.InvariantCulture, $"{_head.Replace("{0}", $"{image.Length}", StringComparison.Ordinal)}Host: localhost\r\nContent-Length: {image.Length}\r\n\r\n")),
        image,
    ];

    public override void Clear()
    {
        foreach (var file in Directory.EnumerateFiles(_store, "*", SearchOption.AllDirectories))
            File.Delete(file);
    }

    private static NodePeer Start(string name, string folder, string head, params string[] arguments)
    {
        var store = Path.Combine(folder, name);
        Directory.CreateDirectory(store);
        var said = new TaskCompletionSource<int>();
        var process = Start("node", _environment, Read, [$"{Scripts}/{name}.mjs", store, .. arguments]);
        if (!said.Task.Wait(TimeSpan.FromMinutes(1)))
            throw new IOException($"{name} does not start; what it said is above.");
        return new NodePeer(name, said.Task.Result, process, store, head);

        void Read(string? line)
        {
            if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var port))
                said.TrySetResult(port);
            else if (line is null)
                said.TrySetException(new IOException($"{name} ended; what it said is above."));
        }
    }
}
