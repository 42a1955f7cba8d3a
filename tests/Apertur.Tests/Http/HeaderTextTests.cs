using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Http;

/// <summary>Headers, and headers of parts, beyond ASCII.</summary>
public sealed class HeaderTextTests
{
    private const string Password = "Été 2024!";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Password_beyond_ASCII_is_understood_in_UTF_8_and_in_Latin_1(bool asUtf8)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = Password });
        var sent = Encoding.Latin1.GetString((asUtf8 ? Encoding.UTF8 : Encoding.Latin1).GetBytes(Password));
        using var browser = await RawConnection.OpenAsync(app.Url);

        await browser.SendAsync($"GET /api/v1/upload/{session}/session HTTP/1.1\r\nHost: a\r\nx-session-password: {sent}\r\n\r\n");

        var answer = await browser.ReadAsync();
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"effectiveMaxImages\":20", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("été.jpg", false)]
    [InlineData("été.jpg", true)]
    public async Task Name_of_a_photo_is_understood_in_UTF_8_and_in_Latin_1(string name, bool asUtf8)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var sent = Encoding.Latin1.GetString((asUtf8 ? Encoding.UTF8 : Encoding.Latin1).GetBytes(name));
        var body = $"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{sent}\"\r\n\r\n{Encoding.Latin1.GetString(Photos.Png())}\r\n--B--\r\n";
        using var phone = await RawConnection.OpenAsync(app.Url);

        await phone.SendAsync($"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: a\r\n"
            + $"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {body.Length}\r\n\r\n{body}");

        Assert.Contains("\"filename\":\"été.png\"", await phone.ReadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Header_with_a_NUL_is_no_header()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        using var client = await RawConnection.OpenAsync(app.Url);

        await client.SendAsync("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Note: a\0b\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", await client.ReadAsync(), StringComparison.Ordinal);
    }
}
