using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Pages;

namespace Apertur.Server.Commands.Demo;

/// <summary>
/// The receiving end of the demo: a webhook that checks signatures as every receiver should, and a page that shows what arrived.
/// It is an application of its own on a loopback port and shares nothing with the server but the secret.
/// </summary>
internal static partial class Inbox
{
    /// <summary>An image of 150 MB as base64, and room for its metadata.</summary>
    private const long LargestBody = 204L * 1024 * 1024;

    /// <summary>
    /// Starts listening on 127.0.0.1; disposing the result stops it, and its <c>Urls</c> name the address. The folder is made when
    /// missing and keeps the photos over restarts; port 0 takes a free one; the secret is the webhook destination's.
    /// </summary>
    public static async Task<WebApplication> StartAsync(
        string folder, int port, string secret, ILogger logger, CancellationToken cancellationToken, TimeProvider? clock = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = LargestBody;
        });
        builder.Services.AddRoutingCore();
        // A page of the internet may call itself 127.0.0.1 by its name server, but not in the Host header.
        builder.Services.AddHostFiltering(filter => filter.AllowedHosts = ["127.0.0.1", "localhost"]);
        builder.Services.AddSingleton(_ => new InboxStore(folder, clock ?? TimeProvider.System));

        var app = builder.Build();
        var store = app.Services.GetRequiredService<InboxStore>();
        var stopping = app.Lifetime.ApplicationStopping;
        var key = Encoding.UTF8.GetBytes(secret);
        app.UseHostFiltering();
        app.UseRouting();
        app.MapGet("/", () => PageShell.Result(InboxPage.Html(store.Items), StatusCodes.Status200OK));
        app.MapGet("/assets/{name}", WebAssets.Get);
        app.MapGet("/photos/{id:guid}", (Guid id, HttpResponse response) => Photo(store, id, response));
        app.MapGet("/events", (HttpContext context) =>
            TypedResults.ServerSentEvents(Changes(store, context.RequestAborted, stopping)));
        app.MapPost("/hook", (HttpRequest request, CancellationToken aborted) =>
            Receive(store, key, request, logger, aborted));
        await app.StartAsync(cancellationToken);
        return app;
    }

    private static async Task<IResult> Receive(
        InboxStore store, byte[] key, HttpRequest request, ILogger logger, CancellationToken aborted)
    {
        await using var body = store.NewBody();
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        while (true)
        {
            var read = await request.BodyReader.ReadAsync(aborted);
            foreach (var part in read.Buffer)
            {
                hmac.AppendData(part.Span);
                await body.WriteAsync(part, aborted);
            }

            request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        await body.FlushAsync(aborted);
        if (!IsSignature(request.Headers["X-Apertur-Signature"], hmac.GetHashAndReset()))
        {
            Refused(logger, "the signature is missing or wrong");
            return Results.Json(new { message = "The signature is missing or wrong" }, statusCode: 401);
        }

        try
        {
            await store.AddAsync(body, aborted);
            Received(logger, body.Length);
            return Results.Json(new { message = "The signature and the SHA-256 are right" });
        }
        catch (InvalidDataException exception)
        {
            Refused(logger, exception.Message);
            return Results.Json(new { message = exception.Message }, statusCode: 400);
        }
    }

    /// <summary>Takes the same time wherever the first difference is, so that a signature cannot be guessed byte by byte.</summary>
    private static bool IsSignature(string? header, byte[] expected)
    {
        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes];
        return header is not null && header.StartsWith("sha256=", StringComparison.Ordinal)
            && Convert.FromHexString(header.AsSpan("sha256=".Length), given, out _, out var written)
                == System.Buffers.OperationStatus.Done
            && written == given.Length
            && CryptographicOperations.FixedTimeEquals(given, expected);
    }

    private static IResult Photo(InboxStore store, Guid id, HttpResponse response)
    {
        if (store.Find(id) is not { } item) return Results.NotFound();
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.CacheControl = "private, max-age=31536000, immutable";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        var isImage = item.MimeType is "image/jpeg" or "image/png" or "image/webp" or "image/heic";
        return Results.File(Path.GetFullPath(store.PhotoPath(id)), isImage ? item.MimeType : "application/octet-stream");
    }

    /// <summary>One event at once, because something may have arrived since the page was made, then one per change.</summary>
    private static async IAsyncEnumerable<SseItem<string>> Changes(
        InboxStore store, CancellationToken aborted, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(aborted, stopping);
        while (!end.IsCancellationRequested)
        {
            var changed = store.Changed;
            yield return new SseItem<string>("inbox", "changed");
            await changed.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "inbox.received {BodyBytes} bytes")]
    private static partial void Received(ILogger logger, long bodyBytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "inbox.refused {Reason}")]
    private static partial void Refused(ILogger logger, string reason);
}
