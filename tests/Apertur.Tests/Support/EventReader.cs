using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Apertur.Tests.Support;

/// <summary>One server-sent event as a simple client reads it.</summary>
/// <param name="Id">What to send as Last-Event-ID.</param>
/// <param name="Name">Of the event.</param>
/// <param name="Data">Its JSON.</param>
internal sealed record ServerEvent(string Id, string Name, JsonNode Data);

/// <summary>
/// A client of server-sent events that looks at the chunks on the wire: some real ones take what arrives in one chunk for one
/// event. So every frame must be exactly one chunk, with line feeds only.
/// </summary>
internal sealed class EventReader : IAsyncDisposable
{
    private readonly TcpClient _client = new();
    private readonly StringBuilder _head = new();
    private Stream _stream = Stream.Null;

    public string Head => _head.ToString();

    public static async Task<EventReader> OpenAsync(AperturApp app, string session, string? lastEventId = null,
        string? password = null, string? origin = null, string? credential = null)
    {
        var reader = new EventReader();
        var url = new Uri(app.Url);
        await reader._client.ConnectAsync(url.Host, url.Port, TestContext.Current.CancellationToken);
        reader._stream = reader._client.GetStream();
        var path = session.StartsWith('/') ? session : $"/api/v1/upload/{session}/events";
        var request = $"GET {path} HTTP/1.1\r\nHost: {url.Authority}\r\nAccept: text/event-stream\r\n"
            + (lastEventId is null ? "" : $"Last-Event-ID: {lastEventId}\r\n")
            + (password is null ? "" : $"x-session-password: {password}\r\n")
            + (credential is null ? "" : $"Authorization: Bearer {credential}\r\n")
            + (origin is null ? "" : $"Origin: {origin}\r\n") + "\r\n";
        await reader._stream.WriteAsync(Encoding.UTF8.GetBytes(request), TestContext.Current.CancellationToken);
        while (await reader.LineAsync() is { Length: > 0 } line)
            reader._head.Append(line).Append('\n');
        return reader;
    }

    /// <summary>The next frame as it is; null when the server has ended the stream.</summary>
    public async Task<string?> FrameAsync()
    {
        var length = int.Parse(await LineAsync(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var bytes = new byte[length];
        await Eventually.Arrives(_stream.ReadExactlyAsync(bytes, TestContext.Current.CancellationToken).AsTask());
        Assert.Equal("", await LineAsync());
        return length == 0 ? null : Encoding.UTF8.GetString(bytes);
    }

    /// <summary>The next event; a heartbeat before it fails the test.</summary>
    public async Task<ServerEvent> NextAsync()
    {
        var frame = await FrameAsync();
        Assert.NotNull(frame);
        Assert.EndsWith("\n\n", frame, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', frame);
        var lines = frame[..^2].Split('\n');
        Assert.Equal(["id", "event", "data"], lines.Select(line => line[..line.IndexOf(": ", StringComparison.Ordinal)]));
        return new(lines[0]["id: ".Length..], lines[1]["event: ".Length..], JsonNode.Parse(lines[2]["data: ".Length..])!);
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string> LineAsync()
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (true)
        {
            await Eventually.Arrives(_stream.ReadExactlyAsync(one, TestContext.Current.CancellationToken).AsTask());
            if (one[0] == '\n')
                return line.ToString().TrimEnd('\r');
            line.Append((char)one[0]);
        }
    }
}
