using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Apertur.Bench;

/// <summary>A server of an <see cref="Installation"/>.</summary>
internal sealed class Ours : Peer
{
    private const int ImagesPerSession = 500;
    private const string Boundary = "----ingest-bench-4f1c9a";

    private static readonly byte[] _partHead = Bytes(
        $"--{Boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n");

    private static readonly byte[] _partTail = Bytes($"\r\n--{Boundary}--\r\n");

    private readonly Installation _installation;

    // The session of each photo that a client may still send.
    private readonly List<Queue<string>> _places = [];

    public Ours(Installation installation, int port, Process process)
        : base("ours", port, process) => _installation = installation;

    public string Project => _installation.Project;

    /// <summary>Where the photos of new sessions go.</summary>
    public IReadOnlyList<string> Destinations { get; set; } = [];

    /// <summary>Makes one call with the key, and gives the answer.</summary>
    /// <exception cref="IOException">It was refused.</exception>
    public JsonElement Call(string method, string path, string json = "")
    {
        using var connection = new Connection(Port);
        connection.Send([Bytes($"{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {_installation.Key}\r\n"
            + $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(json)}\r\n\r\n"), Encoding.UTF8.GetBytes(json)]);
        using var answer = JsonDocument.Parse(connection.Receive() is { Length: > 0 } text ? text : "null");
        return answer.RootElement.Clone();
    }

    /// <summary>Makes a webhook destination for that address.</summary>
    /// <returns>Its id.</returns>
    public string CreateWebhook(string url, string format) => Call("POST", $"/projects/{Project}/destinations",
        $$$"""{"type":"webhook","name":"Receiver","config":{"url":"{{{url}}}","format":"{{{format}}}"}}""").GetProperty("id").GetString()!;

    /// <summary>Makes a session whose photos go to <see cref="Destinations"/>, and who waits for them may.</summary>
    /// <returns>Its id.</returns>
    public string NewSession() => Call("POST", "/upload-sessions", $$"""
        {"max_images":{{ImagesPerSession}},"max_image_size_mb":50,"long_polling":true,"destination_ids":[{{string.Join(',', Destinations.Select(id => $"\"{id}\""))}}]}
        """).GetProperty("id").GetString()!;

    /// <summary>Switches all of <see cref="Destinations"/> on or off.</summary>
    public void SwitchDestinations(bool isActive)
    {
        foreach (var id in Destinations)
            Call("PATCH", $"/projects/{Project}/destinations/{id}", isActive ? """{"isActive":true}""" : """{"isActive":false}""");
    }

    /// <summary>Sends photos from so many clients at once, so many from each.</summary>
    public void Fill(byte[] photo, int clients, int perClient)
    {
        Prepare(clients, perClient);
        var threads = Enumerable.Range(0, clients).Select(client => new Thread(() =>
        {
            using var connection = new Connection(Port);
            for (var i = 0; i < perClient; i++)
            {
                connection.Send(Request(client, photo));
                connection.Receive();
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
    }

    /// <summary>The request of a call, for those who send it themselves.</summary>
    public byte[] Get(string path) =>
        Bytes($"GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {_installation.Key}\r\n\r\n");

    /// <summary>The files that hold the photos.</summary>
    public IEnumerable<string> Files() => Directory.EnumerateFiles(_installation.Data, "*", SearchOption.AllDirectories)
        .Where(file => Guid.TryParseExact(Path.GetFileName(file), "D", out _));

    /// <summary>Every client has sessions of its own, as many as its photos need.</summary>
    public override void Prepare(int clients, int requestsPerClient)
    {
        while (_places.Count < clients)
            _places.Add([]);
        foreach (var places in _places.Take(clients))
        {
            while (places.Count < requestsPerClient)
            {
                var created = NewSession();
                for (var image = 0; image < ImagesPerSession; image++)
                    places.Enqueue(created);
            }
        }
    }

    /// <summary>Lets all clients begin new sessions, for new <see cref="Destinations"/>.</summary>
    public void Forget() => _places.Clear();

    public override IList<ArraySegment<byte>> Request(int client, byte[] image) => RequestTo(_places[client].Dequeue(), image);

    /// <summary>The request for a photo of a session.</summary>
    public static IList<ArraySegment<byte>> RequestTo(string session, byte[] image)
    {
        var length = _partHead.Length + image.Length + _partTail.Length;
        return
        [
            Bytes($"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={Boundary}\r\nContent-Length: {length}\r\n\r\n"),
            _partHead, image, _partTail,
        ];
    }

    public override void Clear()
    {
        foreach (var file in Files())
            File.Delete(file);
    }
}
