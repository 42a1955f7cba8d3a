using System.Text.Json;
using Apertur.Destinations;
using Apertur.Server.Http;

namespace Apertur.Server.Fetching;

/// <summary>
/// Exchanges the authorisation code of somebody who has signed in at a provider for an access token, where that takes this server's secret. The
/// token is handed on and kept nowhere, and one to renew it with is dropped.
/// </summary>
internal sealed class PickerTokens([FromKeyedServices(nameof(PhotoFetch))] OutboundHttp http)
{
    private const int MaxAnswerBytes = 64 * 1024;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);

    /// <exception cref="ApiErrorException">422: the provider gives none, or cannot be reached.</exception>
    public async Task<string> ExchangeAsync(CloudSource cloud, string code, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_patience);
        using var request = new HttpRequestMessage(HttpMethod.Post, cloud.TokenAddress);
        request.Content = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "authorization_code",
            ["code"] = code,
            ["client_id"] = cloud.Ids["clientId"],
            ["client_secret"] = cloud.Secret!,
        });
        try
        {
            using var response = await http.SendAsync(request, deadline.Token);
            await response.Content.LoadIntoBufferAsync(MaxAnswerBytes, deadline.Token);
            using var answer = response.IsSuccessStatusCode ? await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(deadline.Token), default, deadline.Token) : null;
            return answer is not null && answer.RootElement.TryGetProperty("access_token", out var token) && token.GetString() is { Length: > 0 } given
                ? given
                : throw ApiErrors.SourceRefused((int)response.StatusCode).ToException();
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or JsonException or InvalidOperationException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw ApiErrors.SourceUnreachable.ToException();
        }
    }
}
