using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Apertur.Server.Commands.Demo;

/// <summary>Calls the demo's server over its API, as any program would.</summary>
internal sealed class DemoClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly DemoState _state;

    [SuppressMessage("ApiDesign", "RS0030", Justification = "Calls this very server; no address comes from a user.")]
    public DemoClient(string baseUrl, DemoState state)
    {
        _state = state;
        _http = new HttpClient { BaseAddress = new Uri(baseUrl + "/api/v1/") };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", state.Key);
    }

    /// <summary>Makes sure that there is a destination for the inbox, and an open session that delivers to it.</summary>
    /// <param name="hook">The inbox's address.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The state to remember and the session's upload link.</returns>
    public async Task<(DemoState State, string UploadUrl)> PrepareAsync(string hook, CancellationToken cancellationToken)
    {
        var config = new JsonObject { ["url"] = hook, ["format"] = "json_base64", ["secret"] = _state.InboxSecret };
        var destinations = $"projects/{_state.ProjectId}/destinations";
        var destinationId = _state.DestinationId;
        // The port may be another one than last time.
        using var saved = destinationId is null ? null
            : await _http.PatchAsJsonAsync($"{destinations}/{destinationId}", new JsonObject { ["config"] = config.DeepClone() }, cancellationToken);
        if (saved is not { IsSuccessStatusCode: true })
        {
            var made = await PostAsync(destinations, new JsonObject { ["type"] = "webhook", ["name"] = "Inbox", ["config"] = config }, cancellationToken);
            destinationId = (string)made["id"]!;
        }

        if (_state.SessionId is { } last && await IsOpenAsync(last, cancellationToken))
            return (_state with { DestinationId = destinationId }, UploadUrl(last));

        var session = await PostAsync(
            "upload-sessions",
            new JsonObject { ["label"] = "Demo session", ["destination_ids"] = new JsonArray(destinationId), ["max_images"] = 500 },
            cancellationToken);
        return (_state with { DestinationId = destinationId, SessionId = (string)session["id"]! }, (string)session["upload_url"]!);
    }

    public void Dispose() => _http.Dispose();

    private string UploadUrl(string sessionId) => new Uri(_http.BaseAddress!, $"/u/{sessionId}").ToString();

    private async Task<bool> IsOpenAsync(string sessionId, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(new Uri($"upload/{sessionId}/session", UriKind.Relative), cancellationToken);
        if (!response.IsSuccessStatusCode)
            return false;
        var session = await response.Content.ReadFromJsonAsync<JsonObject>(cancellationToken);
        return (string?)session!["status"] is "pending" or "active";
    }

    private async Task<JsonObject> PostAsync(string path, JsonObject body, CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsJsonAsync(path, body, cancellationToken);
        var answer = (await response.Content.ReadFromJsonAsync<JsonObject>(cancellationToken))!;
        return response.IsSuccessStatusCode ? answer : throw new CommandException($"The demo could not be prepared: {answer["message"]}");
    }
}
