using Apertur.Tests.Support;

namespace Apertur.Tests.Http;

/// <summary>Bodies that are read whole.</summary>
public sealed class RawBodyTests
{
    [Theory]
    [InlineData(0, 200)]
    [InlineData(400_000, 413)]
    public async Task Connection_goes_on_after_a_body_that_was_taken_or_was_too_long(int spaces, int status)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var body = "{}" + new string(' ', spaces);
        using var connection = await RawConnection.OpenAsync(app.Url);

        for (var request = 0; request < 2; request++)
        {
            await connection.SendAsync(
                $"POST /api/v1/upload/{session}/verify-password HTTP/1.1\r\nHost: localhost\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            Assert.Contains($"HTTP/1.1 {status} ", await connection.ReadAsync(), StringComparison.Ordinal);
        }
    }
}
