using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Apertur.Tests.Support;

namespace Apertur.Tests.Tus;

/// <summary>Requests of tus 1.0, one by one.</summary>
internal static class TusClient
{
    public static async Task<Answer> TusAsync(
        this AperturClient client, HttpMethod method, string path, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        ByteArrayContent? content = null;
        if (body is not null)
        {
            content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        }

        return await client.SendAsync(method, path, content, [("Tus-Resumable", "1.0.0"), .. headers]);
    }

    /// <summary>Begins an upload that must be taken.</summary>
    /// <returns>Where its bytes go.</returns>
    public static async Task<string> BeginAsync(
        this AperturClient client, string session, long length, string metadata = "", params (string Name, string Value)[] headers)
    {
        var answer = await client.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null,
            [("Upload-Length", $"{length}"), ("Upload-Metadata", metadata), .. headers]);
        return answer.Expect(HttpStatusCode.Created).Headers.Location!.ToString();
    }

    public static Task<Answer> PatchAsync(
        this AperturClient client, string upload, byte[] bytes, long offset, params (string Name, string Value)[] headers) =>
        client.TusAsync(HttpMethod.Patch, upload, bytes, [("Upload-Offset", $"{offset}"), .. headers]);

    /// <summary>What the server says that it has.</summary>
    public static async Task<long> OffsetAsync(this AperturClient client, string upload) =>
        Offset((await client.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.OK));

    public static long Offset(this Answer answer) => long.Parse(answer.Headers.GetValues("Upload-Offset").Single());

    public static string Metadata(params (string Name, string Value)[] values) =>
        string.Join(',', values.Select(value => $"{value.Name} {Convert.ToBase64String(Encoding.UTF8.GetBytes(value.Value))}"));

    /// <summary>A PATCH on a connection of its own that says that much will come, and sends only some of it.</summary>
    public static async Task<RawConnection> HangAsync(string url, string upload, byte[] some, long offset, long announced, string more = "")
    {
        var connection = await RawConnection.OpenAsync(url);
        await connection.SendAsync(
            $"PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
            + $"Upload-Offset: {offset}\r\nContent-Length: {announced}\r\n{more}\r\n");
        await connection.SendAsync(some);
        return connection;
    }
}
