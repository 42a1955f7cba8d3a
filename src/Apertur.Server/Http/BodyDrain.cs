using Microsoft.AspNetCore.Http.Features;

namespace Apertur.Server.Http;

/// <summary>
/// Lets a client finish sending before it is refused. A client that is still writing when the connection closes never reads the answer: people
/// would see a network error, and their phone would try again, instead of being told that the photo is too large.
/// </summary>
internal static class BodyDrain
{
    /// <summary>More than this is not read for the sake of an answer.</summary>
    public const long MaxBytes = 64 * 1024 * 1024;

    public static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(10);

    /// <summary>Reads and discards what is left of the body, within bounds. Failures are ignored: the answer is sent in any case.</summary>
    public static async Task RunAsync(HttpContext context, TimeProvider clock, TimeSpan maxTime)
    {
        var request = context.Request;
        // HTTP/2 has an answer for this of its own, and a client that asked first has sent nothing yet.
        if (!HttpProtocol.IsHttp11(request.Protocol) || request.Headers.Expect.Count > 0
            || context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false })
            return;

        // Refused before anybody has said how long the body may be.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxBytes;

        using var time = new CancellationTokenSource(maxTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, context.RequestAborted);
        try
        {
            for (long read = 0; read < MaxBytes;)
            {
                var result = await request.BodyReader.ReadAsync(either.Token);
                read += result.Buffer.Length;
                request.BodyReader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                    return;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or InvalidOperationException)
        {
        }
    }
}
