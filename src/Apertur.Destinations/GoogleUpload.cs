using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// How media goes into Google's APIs, the same for Cloud Storage and Drive: in one request with its metadata, or through a
/// resumable session that says how far it came (https://cloud.google.com/storage/docs/performing-resumable-uploads,
/// https://developers.google.com/workspace/drive/api/guides/manage-uploads).
/// </summary>
internal sealed class GoogleUpload(JsonApi api)
{
    /// <summary>The largest file that Google advises to send in one request; larger ones go through a session.</summary>
    public const long OneShotLimit = 5 * 1024 * 1024;

    /// <summary>Bytes per request of a session. Has to be a multiple of 256 KiB.</summary>
    public const long ChunkSize = 8 * 1024 * 1024;

    // Two cuts in a row without a byte of progress are not a passing fault.
    private const int MaxCutsWithoutProgress = 2;

    /// <summary>Sends an image under the metadata of its new resource.</summary>
    /// <param name="address">The upload endpoint with every parameter except <c>uploadType</c>.</param>
    /// <param name="token">A bearer token; a session needs none, its address is the capability.</param>
    /// <param name="metadata">The resource to make.</param>
    /// <param name="name">What <see cref="UploadResume.Name"/> keeps beside the session.</param>
    /// <param name="delivery">The image.</param>
    /// <param name="deadline">Ends the attempt.</param>
    /// <returns>The resource, or the first refusal.</returns>
    public async Task<ApiAnswer> SendAsync(
        Uri address, string token, JsonObject metadata, string name, Delivery delivery, TransferDeadline deadline)
    {
        if (delivery.SizeBytes <= OneShotLimit)
            return await SendAtOnceAsync(address, token, metadata, delivery, deadline);

        if (UploadResume.Of(delivery) is { Session: { } keptAddress } resume && resume.Name == name)
        {
            var kept = new Uri(keptAddress);
            var resumed = await ContinueAsync(kept, await AskAsync(kept, delivery, deadline), delivery, deadline);
            // A session lives a week and ends with its upload; nothing else is lost with it.
            if (!IsEnded(resumed))
                return resumed;
        }

        var started = await StartAsync(address, token, metadata, delivery.MimeType, delivery.SizeBytes, deadline);
        if (!started.IsSuccess || started.Headers.Location is not { } session)
            return started;

        await new UploadResume(name, session.AbsoluteUri).SaveAsync(delivery, deadline.Token);
        var answer = await ContinueAsync(session, null, delivery, deadline);
        // Google may end a session at any time. That says nothing of bucket, folder or image: the next attempt opens another.
        return IsEnded(answer) ? throw new HttpRequestException(HttpRequestError.ResponseEnded) : answer;
    }

    private static bool IsEnded(ApiAnswer session) => session.Status is HttpStatusCode.NotFound or HttpStatusCode.Gone;

    /// <summary>
    /// Opens a session and gives it up: the service says whether an upload would be allowed, and nothing is left behind.
    /// </summary>
    /// <returns>The answer to the opening.</returns>
    public async Task<ApiAnswer> TryOutAsync(Uri address, string token, JsonObject metadata, TransferDeadline deadline)
    {
        var started = await StartAsync(address, token, metadata, "image/jpeg", 1, deadline);
        if (started.IsSuccess && started.Headers.Location is { } session)
        {
            using var request = new HttpRequestMessage(HttpMethod.Delete, session);
            await api.SendAsync(request, deadline);
        }

        return started;
    }

    private async Task<ApiAnswer> SendAtOnceAsync(
        Uri address, string token, JsonObject metadata, Delivery delivery, TransferDeadline deadline)
    {
        using var request = JsonApi.Request(HttpMethod.Post, With(address, "multipart"), token);
        request.Content = new MultipartContent("related")
        {
            JsonApi.Body(metadata),
            new FileSlice(delivery.OpenRead, 0, delivery.SizeBytes, delivery.MimeType, deadline),
        };
        return await api.SendAsync(request, deadline);
    }

    private async Task<ApiAnswer> StartAsync(
        Uri address, string token, JsonObject metadata, string mimeType, long size, TransferDeadline deadline)
    {
        using var request = JsonApi.Request(HttpMethod.Post, With(address, "resumable"), token, metadata);
        request.Headers.Add("X-Upload-Content-Type", mimeType);
        request.Headers.Add("X-Upload-Content-Length", size.ToString(CultureInfo.InvariantCulture));
        return await api.SendAsync(request, deadline);
    }

    /// <param name="session">The session's address.</param>
    /// <param name="answer">What the session last said; null for a fresh one.</param>
    /// <param name="delivery">The image.</param>
    /// <param name="deadline">Ends the attempt.</param>
    private async Task<ApiAnswer> ContinueAsync(
        Uri session, ApiAnswer? answer, Delivery delivery, TransferDeadline deadline)
    {
        var cuts = 0;
        for (var offset = 0L; ;)
        {
            if (answer is not null)
            {
                if (answer.Status != HttpStatusCode.PermanentRedirect)
                    return answer;

                // What a service acknowledges is not always what was sent: it keeps whole blocks of 256 KiB.
                var received = Received(answer);
                cuts = received > offset ? 0 : cuts + 1;
                if (cuts > MaxCutsWithoutProgress)
                    throw new HttpRequestException(HttpRequestError.ResponseEnded);
                offset = received;
            }

            try
            {
                answer = await PutAsync(session, offset, delivery, deadline);
            }
            catch (HttpRequestException) when (cuts < MaxCutsWithoutProgress)
            {
                answer = await AskAsync(session, delivery, deadline);
            }
        }
    }

    private async Task<ApiAnswer> PutAsync(Uri session, long offset, Delivery delivery, TransferDeadline deadline)
    {
        var length = Math.Min(ChunkSize, delivery.SizeBytes - offset);
        if (length <= 0)
            return await AskAsync(session, delivery, deadline);

        using var request = new HttpRequestMessage(HttpMethod.Put, session);
        request.Content = new FileSlice(delivery.OpenRead, offset, length, delivery.MimeType, deadline);
        request.Content.Headers.ContentRange = new ContentRangeHeaderValue(offset, offset + length - 1, delivery.SizeBytes);
        return await api.SendAsync(request, deadline);
    }

    private async Task<ApiAnswer> AskAsync(Uri session, Delivery delivery, TransferDeadline deadline)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, session) { Content = new ByteArrayContent([]) };
        request.Content.Headers.ContentRange = new ContentRangeHeaderValue(delivery.SizeBytes);
        return await api.SendAsync(request, deadline);
    }

    /// <summary>How many bytes a session holds: <c>Range: bytes=0-99</c> is 100, no such header is none.</summary>
    private static long Received(ApiAnswer answer)
    {
        // Range is a request header by RFC 9110, so the typed headers of an answer do not know it.
        var range = answer.Headers.TryGetValues("Range", out var values) ? values.First() : "";
        return long.TryParse(range[(range.LastIndexOf('-') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            ? last + 1
            : 0;
    }

    private static Uri With(Uri address, string uploadType) =>
        new(address.AbsoluteUri + (address.Query.Length > 0 ? '&' : '?') + "uploadType=" + uploadType);
}
