using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Support;

/// <summary>An answer, read to its end.</summary>
/// <param name="Status">Of the answer.</param>
/// <param name="Headers">Of the answer.</param>
/// <param name="ContentHeaders">Of its body.</param>
/// <param name="Bytes">The body; empty when there is none.</param>
internal sealed record Answer(HttpStatusCode Status, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, byte[] Bytes)
{
    /// <summary>The body as JSON; fails when it is not.</summary>
    public JsonNode Json => JsonNode.Parse(Bytes) ?? throw new InvalidOperationException("The body is null.");

    /// <summary>A header's value; null when there is none.</summary>
    public string? this[string header] =>
        Headers.TryGetValues(header, out var values) || ContentHeaders.TryGetValues(header, out values) ? string.Join(", ", values) : null;

    public string Text => System.Text.Encoding.UTF8.GetString(Bytes);

    /// <summary>Fails the test, showing the body, unless the status is as expected.</summary>
    public Answer Expect(HttpStatusCode status)
    {
        Assert.True(Status == status, $"Expected {(int)status}, got {(int)Status}: {Text}");
        return this;
    }
}

/// <summary>Speaks to a server as its users' programs do: HTTP and JSON, nothing shared with the server's own code.</summary>
internal sealed class AperturClient(OutboundHttp http, string url, Guid projectId, string? key)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Guid ProjectId => projectId;

    /// <param name="method">Such as GET.</param>
    /// <param name="path">From <c>/</c>; below <c>/api/v1</c> when it does not start with a slash.</param>
    /// <param name="body">Sent as JSON; <see cref="HttpContent"/> as it is; no body when null.</param>
    /// <param name="headers">More headers.</param>
    public async Task<Answer> SendAsync(HttpMethod method, string path, object? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, url + (path.StartsWith('/') ? path : "/api/v1/" + path));
        request.Content = body is null ? null : body as HttpContent ?? JsonContent.Create(body);
        if (key is not null)
            request.Headers.Authorization = new("Bearer", key);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        using var response = await http.SendAsync(request, Cancellation);
        return new(response.StatusCode, response.Headers, response.Content.Headers, await response.Content.ReadAsByteArrayAsync(Cancellation));
    }

    public Task<Answer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<Answer> PostAsync(string path, object? body = null) => SendAsync(HttpMethod.Post, path, body);

    /// <returns>The destination's id.</returns>
    public async Task<string> CreateDestinationAsync(string type, JsonObject config)
    {
        var answer = await PostAsync($"projects/{projectId}/destinations", new JsonObject { ["type"] = type, ["config"] = config });
        return answer.Expect(HttpStatusCode.Created).Json["id"]!.GetValue<string>();
    }

    /// <returns>The session's id.</returns>
    public Task<string> CreateSessionAsync(params string[] destinations) =>
        CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray([.. destinations.Select(id => JsonValue.Create(id))]) });

    /// <returns>The session's id.</returns>
    public async Task<string> CreateSessionAsync(JsonObject request) =>
        (await PostAsync("upload-sessions", request)).Expect(HttpStatusCode.Created).Json["id"]!.GetValue<string>();

    /// <summary>Sends a photo as the upload page does, and gives the answer whatever it is.</summary>
    public async Task<Answer> PostImageAsync(
        string session, byte[] image, string filename = "photo.jpg", string? source = null, params (string Name, string Value)[] headers)
    {
        using var form = new MultipartFormDataContent();
        using var file = new ByteArrayContent(image);
        // As phones do, whatever the file is.
        file.Headers.ContentType = new("image/jpeg");
        form.Add(file, "file", filename);
        using var origin = new StringContent(source ?? "");
        if (source is not null)
            form.Add(origin, "source");
        return await SendAsync(HttpMethod.Post, $"upload/{session}/images", form, headers);
    }

    /// <summary>Sends a photo that must be taken.</summary>
    /// <returns>The upload response.</returns>
    public async Task<JsonNode> UploadAsync(string session, byte[] image, string filename = "photo.jpg", string? source = null) =>
        (await PostImageAsync(session, image, filename, source)).Expect(HttpStatusCode.Created).Json;

    /// <summary>The row of an upload in the list of recent ones.</summary>
    public async Task<JsonNode> UploadRowAsync(string id) =>
        (await GetAsync("uploads/recent?limit=50")).Expect(HttpStatusCode.OK).Json.AsArray().Single(row => row!["id"]!.GetValue<string>() == id)!;

    /// <summary>Waits until an upload's row has that status, and gives it.</summary>
    public Task<JsonNode> UploadBecomesAsync(string id, string status) =>
        Eventually.Becomes(() => UploadRowAsync(id), row => row["status"]!.GetValue<string>() == status, $"upload is {status}");
}
