using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Destinations;

/// <summary>Services that say yes and have nothing. None of them may count as delivered, nor pass a test.</summary>
public sealed class UnprovenStoreTests : IDisposable
{
    private const string Page = "<html><body>Welcome to the guest network</body></html>";

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);

    public static MatrixTheoryData<string, int> S3 { get; } = new(
        ["a page", "nothing", "no tag", "another tag", "an error in a 200", "an empty completion", "a page as completion", "an empty object"],
        [Cloud.Small, Cloud.Large]);

    public static MatrixTheoryData<string, int> Others { get; } = new(
        ["gcs: a page", "gcs: nothing", "gcs: {}", "gcs: another checksum", "gcs: another name", "drive: a page", "drive: nothing", "drive: {}", "drive: a size",
            "drive: pages for all", "dropbox: a page", "dropbox: nothing", "dropbox: {}", "dropbox: another hash", "dropbox: pages for all"],
        [Cloud.Small, Cloud.Large]);

    public void Dispose() => _http.Dispose();

    [Theory, MemberData(nameof(S3))]
    public async Task An_S3_that_stores_nothing_is_not_believed(string manner, int size)
    {
        await using var service = await Receiver.StartAsync();
        Delivery? delivery = null;
        service.Otherwise = context => AnswerAsS3Async(context, manner, () => delivery!);
        var s3 = new S3Destination(_http, TimeProvider.System);
        var config = Sample.Config(s3, new JsonObject
        {
            ["endpoint"] = new Uri(service.Url).GetLeftPart(UriPartial.Authority),
            ["bucket"] = "photos",
            ["region"] = "us-east-1",
            ["accessKeyId"] = "id",
            ["secretAccessKey"] = "secret",
        });
        delivery = Sample.Delivery(config, size);

        var outcome = await s3.DeliverAsync(delivery, TestContext.Current.CancellationToken);
        var again = await s3.DeliverAsync(delivery, TestContext.Current.CancellationToken);

        Assert.IsType<DeliveryOutcome.TryAgain>(outcome);
        Assert.IsType<DeliveryOutcome.TryAgain>(again);
        Assert.IsNotType<DeliveryOutcome.Accepted>(await s3.TestAsync(config, TestContext.Current.CancellationToken));
    }

    [Theory, MemberData(nameof(Others))]
    public async Task A_cloud_that_stores_nothing_is_not_believed(string manner, int size)
    {
        await using var google = await FakeGoogle.StartAsync();
        await using var dropbox = await FakeDropbox.StartAsync();
        var (service, what) = (manner.Split(": ")[0], manner.Split(": ")[1]);
        var (type, config, cloud) = service switch
        {
            "gcs" => Gcs(google),
            "drive" => (GoogleDriveDestinationTests.Drive(_http, google), null, (FakeCloud)google),
            _ => (DropboxDestinationTests.Dropbox(_http, dropbox), null, dropbox),
        };
        config ??= Sample.Config(type, [], service == "drive" ? google.OAuth.IssueAccessToken() : dropbox.OAuth.IssueAccessToken());
        var delivery = Sample.Delivery(config, size);
        var body = what switch
        {
            "a page" or "pages for all" => Page,
            "nothing" => "",
            "{}" => "{}",
            "a size" => new JsonObject { ["size"] = size.ToString(System.Globalization.CultureInfo.InvariantCulture) }.ToJsonString(),
            "another name" => new JsonObject { ["name"] = "other", ["crc32c"] = "AAAAAA==", ["size"] = "1" }.ToJsonString(),
            _ => new JsonObject { ["name"] = "x", ["crc32c"] = "AAAAAA==", ["content_hash"] = new string('0', 64), ["size"] = size }.ToJsonString(),
        };
        // Where bytes are sent to; or everything but where tokens come from.
        string[] lines = what == "pages for all" ? ["/2/files", "/drive/v3"] : ["POST /upload/", "PUT /upload/", "/2/files/upload"];
        foreach (var line in lines.SelectMany(line => Enumerable.Repeat(line, 60)))
            cloud.Refuse(line, 200, body);

        var outcome = await type.DeliverAsync(delivery, TestContext.Current.CancellationToken);

        Assert.IsType<DeliveryOutcome.TryAgain>(outcome);
        Assert.IsNotType<DeliveryOutcome.Accepted>(await type.TestAsync(config, TestContext.Current.CancellationToken));
        Assert.Empty(google.Objects);
        Assert.DoesNotContain(google.Files, file => file.Bytes.Length > 0);
        Assert.Empty(dropbox.Files);
    }

    private (IDestinationType, DestinationConfig?, FakeCloud) Gcs(FakeGoogle google)
    {
        var gcs = new GcsDestination(_http, new() { GcsApi = google.Root }, TimeProvider.System);
        return (gcs, Sample.Config(gcs, new JsonObject
        {
            ["bucket"] = FakeGoogle.BucketName,
            ["serviceAccountJson"] = JsonNode.Parse(google.ServiceAccountJson),
        }), google);
    }

    [SuppressMessage("Security", "CA5351", Justification = "The service's tags are MD5.")]
    private static async Task AnswerAsS3Async(HttpContext context, string manner, Func<Delivery> delivery)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var (method, query, response) = (context.Request.Method, context.Request.Query, context.Response);
        var digest = Convert.ToHexStringLower(MD5.HashData(body.ToArray()));
        switch (method, manner)
        {
            case (_, "a page"):
                await SayAsync(Page, "text/html");
                break;
            case ("HEAD", "an empty object"):
                response.Headers["x-amz-meta-apertur-image-id"] = delivery().ImageId.ToString();
                response.Headers.ETag = "\"d41d8cd98f00b204e9800998ecf8427e\"";
                break;
            case ("HEAD", _):
                response.StatusCode = 404;
                break;
            case (_, "nothing") or ("DELETE", _):
                break;
            case ("POST", _) when query.ContainsKey("uploads"):
                await SayAsync("<InitiateMultipartUploadResult><Bucket>photos</Bucket><Key>k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
                break;
            case ("PUT", "no tag"):
                break;
            case ("PUT", _):
                // What is sent whole has another tag than its digest; parts have the right one.
                response.Headers.ETag = query.ContainsKey("partNumber") ? $"\"{digest}\"" : $"\"{new string('0', 32)}\"";
                break;
            case ("POST", "an error in a 200"):
                await SayAsync("<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>");
                break;
            case ("POST", "a page as completion"):
                await SayAsync(Page, "text/html");
                break;
            case ("POST", "another tag" or "an empty object"):
                await SayAsync("<CompleteMultipartUploadResult><Bucket>photos</Bucket><Key>k</Key><ETag>\"00-1\"</ETag></CompleteMultipartUploadResult>");
                break;
        }

        async Task SayAsync(string text, string type = "application/xml")
        {
            response.ContentType = type;
            response.ContentLength = Encoding.UTF8.GetByteCount(text);
            if (method != "HEAD")
                await response.Body.WriteAsync(Encoding.UTF8.GetBytes(text));
        }
    }
}
