using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Apertur.Tests.Support;

/// <summary>A connection that says exactly what a test wants, byte by byte, and hears what comes back.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<RawConnection> OpenAsync(string url)
    {
        var connection = new RawConnection();
        await connection._socket.ConnectAsync(IPAddress.Loopback, new Uri(url).Port, Cancellation);
        return connection;
    }

    /// <summary>Sends half of a photo as the upload page does, and waits until it is being stored.</summary>
    /// <returns>Also the other half.</returns>
    public static async Task<(RawConnection Phone, string OtherHalf)> SendHalfAPhotoAsync(AperturApp app, string session)
    {
        var body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n"
            + Encoding.Latin1.GetString(Photos.Jpeg(200_000, seed: 1)) + "\r\n--b--\r\n";
        var phone = await OpenAsync(app.Url);
        await phone.SendAsync(
            $"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + $"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {body.Length}\r\n\r\n{body[..100_000]}");
        await Eventually.True(() => Directory.EnumerateFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories).Any());
        return (phone, body[100_000..]);
    }

    /// <summary>Each character is one byte.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await _socket.SendAsync(bytes, Cancellation);

    /// <summary>Whether something was said that has not been read.</summary>
    public bool HasAnswer => _socket.Available > 0;

    /// <summary>What is said until the connection is closed, or an answer with a JSON object has ended.</summary>
    public async Task<string> ReadAsync()
    {
        var answer = "";
        var buffer = new byte[4096];
        while (!answer.Contains('}', StringComparison.Ordinal)
               && await Eventually.Arrives(_socket.ReceiveAsync(buffer, Cancellation).AsTask()) is var read and > 0)
            answer += Encoding.UTF8.GetString(buffer, 0, read);
        return answer;
    }

    /// <summary>The head of the answer, to its empty line.</summary>
    public async Task<string> ReadHeadAsync()
    {
        var answer = "";
        var buffer = new byte[4096];
        while (!answer.Contains("\r\n\r\n", StringComparison.Ordinal)
               && await Eventually.Arrives(_socket.ReceiveAsync(buffer, Cancellation).AsTask()) is var read and > 0)
            answer += Encoding.UTF8.GetString(buffer, 0, read);
        return answer;
    }

    public void Dispose() => _socket.Dispose();
}
