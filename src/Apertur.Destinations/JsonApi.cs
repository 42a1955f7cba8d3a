using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>Requests whose answers are small JSON documents. Everything goes out through <see cref="OutboundHttp"/>.</summary>
internal sealed class JsonApi(OutboundHttp http, TimeProvider clock)
{
    // Far above every answer asked for here, and little enough for an address that a user chose.
    private const int MaxAnswerBytes = 256 * 1024;

    /// <summary>A member twice would else show only when it is read, and then as an exception.</summary>
    public static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    private static readonly TimeSpan _wait = TimeSpan.FromSeconds(60);

    /// <inheritdoc cref="TransferDeadline.AttemptAsync"/>
    public Task<DeliveryOutcome> AttemptAsync(
        long bytes, Func<TransferDeadline, Task<DeliveryOutcome>> act, CancellationToken cancellationToken) =>
        TransferDeadline.AttemptAsync(_wait, bytes, clock, act, cancellationToken);

    /// <exception cref="HttpRequestException">No answer, or one that broke off.</exception>
    public async Task<ApiAnswer> SendAsync(HttpRequestMessage request, TransferDeadline deadline)
    {
        using var response = await http.SendAsync(request, deadline.Token);
        var answer = new ApiAnswer
        {
            Status = response.StatusCode,
            Json = await ReadAsync(response.Content, deadline.Token),
            Headers = response.Headers,
            RetryAfter = HttpOutcome.RetryAfter(response, clock),
            Outcome = HttpOutcome.Of(response, clock),
        };
        deadline.Progress();
        return answer;
    }

    /// <summary>A request with a bearer token and, when <paramref name="body"/> is given, a JSON body.</summary>
    public static HttpRequestMessage Request(HttpMethod method, Uri address, string token, JsonNode? body = null) =>
        new(method, address)
        {
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
            Content = body is null ? null : Body(body),
        };

    public static HttpContent Body(JsonNode json) =>
        new StringContent(json.ToJsonString(), new MediaTypeHeaderValue("application/json"));

    public static string Query(IEnumerable<KeyValuePair<string, string>> parameters) =>
        string.Join('&', parameters.Select(p => $"{Uri.EscapeDataString(p.Key)}={Uri.EscapeDataString(p.Value)}"));

    private static async Task<JsonNode?> ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        try
        {
            await content.LoadIntoBufferAsync(MaxAnswerBytes, cancellationToken);
            return JsonNode.Parse(await content.ReadAsByteArrayAsync(cancellationToken), documentOptions: Strict);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>An answer read to its end.</summary>
internal sealed class ApiAnswer
{
    private const long SecondsOfDay = 24 * 60 * 60;

    public required HttpStatusCode Status { get; init; }

    /// <summary>The body; null when it was no JSON.</summary>
    public required JsonNode? Json { get; init; }

    public required HttpResponseHeaders Headers { get; init; }

    public required TimeSpan? RetryAfter { get; init; }

    /// <summary>What the status means where the service gives it no meaning of its own.</summary>
    public required DeliveryOutcome Outcome { get; init; }

    public bool IsSuccess => (int)Status is >= 200 and < 300;

    /// <summary>The string at a path of members, or null when there is none.</summary>
    public string? Text(params ReadOnlySpan<string> path) =>
        Value(path) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>The integer at a path of members, or null when there is none.</summary>
    public long? Number(params ReadOnlySpan<string> path) =>
        Value(path) is JsonValue value && value.TryGetValue<long>(out var number) ? number : null;

    /// <summary>A length of time that a member gives in seconds, at most a day; null when there is none.</summary>
    public TimeSpan? Seconds(params ReadOnlySpan<string> path) =>
        Number(path) is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, SecondsOfDay)) : null;

    /// <summary>A string that can stand in a header; null when it cannot, so that no exception quotes it.</summary>
    public string? Token(string name) =>
        Text(name) is { Length: > 0 and <= 8192 } token && token.All(c => c is > ' ' and <= '~') ? token : null;

    /// <summary>The answer as an outcome of the kind given, with the status of this answer.</summary>
    public DeliveryOutcome Means(DeliveryOutcome outcome) => outcome with { Status = (int)Status };

    private JsonNode? Value(ReadOnlySpan<string> path)
    {
        var node = Json;
        foreach (var name in path)
            node = (node as JsonObject)?[name];
        return node;
    }
}
