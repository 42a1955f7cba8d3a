using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Destinations;

/// <summary>What no real service here can be made to do: keys that may not read, features that are missing, requests that hang.</summary>
public sealed class S3KeyTests : IDisposable
{
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private readonly ConcurrentDictionary<string, string> _objects = [];
    private readonly ConcurrentQueue<HttpRequestSeen> _writes = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task Key_that_may_not_read_leaves_one_object()
    {
        var s3 = new S3Destination(_http, TimeProvider.System);
        await using var service = await StartAsync(Unreadable);
        var delivery = Sample.Delivery(Config(s3, service, "{filename}"));

        Assert.IsType<DeliveryOutcome.Accepted>(await s3.TestAsync(delivery.Config, Cancellation));
        Assert.Empty(_objects);
        var first = await s3.DeliverAsync(delivery, Cancellation);
        Assert.Equal(first, await s3.DeliverAsync(delivery, Cancellation));
        Assert.Contains(delivery.ImageId.ToString(), Assert.Single(_objects).Key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_that_may_not_read_replaces_no_strangers_object_where_conditions_are_ignored()
    {
        var s3 = new S3Destination(_http, TimeProvider.System);
        await using var service = await StartAsync(context =>
        {
            context.Request.Headers.Remove("If-None-Match");
            return Unreadable(context);
        });
        _objects["/photos/IMG_0001.jpg"] = "stranger";

        Assert.IsType<DeliveryOutcome.Accepted>(await s3.DeliverAsync(Sample.Delivery(Config(s3, service, "{filename}")), Cancellation));

        Assert.Equal("stranger", _objects["/photos/IMG_0001.jpg"]);
        Assert.Equal(2, _objects.Count);
    }

    [Fact]
    public async Task Feature_that_is_missing_does_not_end_the_conditions_of_others()
    {
        var s3 = new S3Destination(_http, TimeProvider.System);
        await using var service = await StartAsync(async context =>
        {
            if (!context.Request.Headers.ContainsKey("x-amz-server-side-encryption"))
                return false;
            await RefuseAsync(context, 501, "NotImplemented");
            return true;
        });

        var encrypted = Config(s3, service, "{filename}", new JsonObject { ["serverSideEncryption"] = "aws:kms" });
        Assert.IsType<DeliveryOutcome.Broken>(await s3.DeliverAsync(Sample.Delivery(encrypted), Cancellation));
        _writes.Clear();
        Assert.IsType<DeliveryOutcome.Accepted>(
            await s3.DeliverAsync(Sample.Delivery(Config(s3, service, "{filename}"), filename: "other.jpg"), Cancellation));
        Assert.True(Assert.Single(_writes).IsConditional);
    }

    [Fact]
    public async Task Service_that_hangs_holds_up_nobody_elses_deliveries()
    {
        var s3 = new S3Destination(_http, new TestClock());
        var hanging = 0;
        await using var silent = await StartAsync(async context =>
        {
            Interlocked.Increment(ref hanging);
            await Receiver.GoneAsync(context);
            return true;
        });
        await using var service = await StartAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var stuck = Enumerable.Range(0, 8)
            .Select(_ => s3.DeliverAsync(Sample.Delivery(Config(s3, silent, "{id}.jpg")), stop.Token)).ToList();
        await Eventually.True(() => Volatile.Read(ref hanging) == 8);

        // So many that with a fixed number of locks some would have to share.
        var outcomes = await Eventually.Arrives(Task.WhenAll(
            Enumerable.Range(0, 300).Select(_ => s3.DeliverAsync(Sample.Delivery(Config(s3, service, "{id}.jpg")), Cancellation))));

        Assert.All(outcomes, outcome => Assert.IsType<DeliveryOutcome.Accepted>(outcome));
        await stop.CancelAsync();
        foreach (var delivery in stuck)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => delivery);
    }

    private static Task<bool> Unreadable(HttpContext context)
    {
        if (context.Request.Method == "HEAD")
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Task.FromResult(context.Request.Method == "HEAD");
    }

    private static DestinationConfig Config(IDestinationType s3, Receiver service, string template, JsonObject? more = null)
    {
        var values = new JsonObject
        {
            ["bucket"] = "photos",
            ["region"] = "us-east-1",
            ["accessKeyId"] = "id",
            ["secretAccessKey"] = "secret",
            ["endpoint"] = new Uri(service.Url).GetLeftPart(UriPartial.Authority),
            ["keyTemplate"] = template,
        };
        foreach (var (name, value) in more ?? [])
            values[name] = value?.DeepClone();
        return Sample.Config(s3, values);
    }

    /// <summary>A service with conditional writes, and one exception from what it does.</summary>
    private async Task<Receiver> StartAsync(Func<HttpContext, Task<bool>>? except = null)
    {
        var receiver = await Receiver.StartAsync();
        receiver.Otherwise = async context =>
        {
            if (except is null || !await except(context))
                await AnswerAsync(context);
        };
        return receiver;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.ToString();
        if (context.Request.Method == "HEAD")
        {
            if (_objects.TryGetValue(path, out var id))
                context.Response.Headers["x-amz-meta-apertur-image-id"] = id;
            else
                context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await context.Request.Body.CopyToAsync(Stream.Null);
        if (context.Request.Method == "DELETE")
        {
            _objects.TryRemove(path, out _);
            return;
        }

        var isConditional = context.Request.Headers.IfNoneMatch.Count > 0;
        _writes.Enqueue(new HttpRequestSeen(path, isConditional));
        if (isConditional && _objects.ContainsKey(path))
        {
            await RefuseAsync(context, StatusCodes.Status412PreconditionFailed, "PreconditionFailed");
            return;
        }

        _objects[path] = context.Request.Headers["x-amz-meta-apertur-image-id"].ToString();
        // The entity tag is the MD5 of what was sent, which proves that it is there.
        context.Response.Headers.ETag = $"\"{Convert.ToHexStringLower(Convert.FromBase64String(context.Request.Headers.ContentMD5.ToString()))}\"";
    }

    private static async Task RefuseAsync(HttpContext context, int status, string code)
    {
        await context.Request.Body.CopyToAsync(Stream.Null);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml";
        await context.Response.WriteAsync($"<Error><Code>{code}</Code></Error>");
    }

    private sealed record HttpRequestSeen(string Path, bool IsConditional);
}
