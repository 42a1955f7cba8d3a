using System.Diagnostics.CodeAnalysis;
using System.Globalization;
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

    /// <summary>More than one request takes, of each service.</summary>
    private const int Session = 9_000_000;

    private const string FileId = "chosen-by-the-service";

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);

    public static MatrixTheoryData<string, int> S3 { get; } = new(
        ["a page", "nothing", "201 and nothing", "204", "a redirect", "no tag", "another tag", "an error in a 200", "a cut beginning",
            "an empty completion", "a page as completion", "a cut completion", "an empty object", "a shorter object", "another object"],
        [Cloud.Small, Session]);

    public static MatrixTheoryData<string, string, string> Clouds { get; } = new(
        ["gcs", "drive", "dropbox"],
        ["at once", "when a session begins", "when a session ends"],
        ["a page", "pages for all", "nothing", "{}", "a list", "a cut answer", "201 and nothing", "204", "a redirect", "another size", "another hash",
            "another object"]);

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

        var expected = manner == "a redirect" ? typeof(DeliveryOutcome.Broken) : typeof(DeliveryOutcome.TryAgain);
        Assert.All([outcome, again], each => Assert.IsType(expected, each));
        Assert.IsNotType<DeliveryOutcome.Accepted>(await s3.TestAsync(config, TestContext.Current.CancellationToken));
    }

    [Theory, MemberData(nameof(Clouds))]
    public async Task A_cloud_that_stores_nothing_is_not_believed(string service, string when, string manner)
    {
        await using var google = await FakeGoogle.StartAsync();
        await using var dropbox = await FakeDropbox.StartAsync();
        var (type, config, cloud) = service switch
        {
            "gcs" => Gcs(google),
            "drive" => (GoogleDriveDestinationTests.Drive(_http, google), null, (FakeCloud)google),
            _ => (DropboxDestinationTests.Dropbox(_http, dropbox), null, dropbox),
        };
        config ??= Sample.Config(type, [], service == "drive" ? google.OAuth.IssueAccessToken() : dropbox.OAuth.IssueAccessToken());
        var delivery = Sample.Delivery(config, when == "at once" ? Cloud.Small : Session);
        var (status, body) = manner switch
        {
            "a page" or "pages for all" => (200, Page),
            "nothing" => (200, ""),
            "{}" => (200, "{}"),
            "a list" => (200, $"[{Yes(service, delivery, "")}]"),
            "a cut answer" => (200, Yes(service, delivery, "")[..^2]),
            "201 and nothing" => (201, ""),
            "204" => (204, ""),
            "a redirect" => (302, ""),
            _ => (200, Yes(service, delivery, manner)),
        };
        string[] lines = (service, when, manner) switch
        {
            // Everything but where tokens come from.
            (_, _, "pages for all") => ["/2/files", "/drive/v3", "/storage/v1"],
            ("dropbox", "when a session ends", _) => ["/2/files/upload_session/finish"],
            (_, "when a session ends", _) => ["PUT /upload/"],
            _ => ["POST /upload/", "/2/files/upload"],
        };
        if (manner != "pages for all")
            cloud.Refuse("/generateIds", 200, $$"""{ "ids": ["{{FileId}}"] }""");
        foreach (var line in lines.SelectMany(line => Enumerable.Repeat(line, 20)))
            cloud.Refuse(line, status, body);

        var outcome = await type.DeliverAsync(delivery, TestContext.Current.CancellationToken);

        Assert.IsNotType<DeliveryOutcome.Accepted>(outcome);
        if (manner != "a redirect")
            Assert.IsType<DeliveryOutcome.TryAgain>(outcome);
        if (when != "when a session ends")
            Assert.IsNotType<DeliveryOutcome.Accepted>(await type.TestAsync(config, TestContext.Current.CancellationToken));
        Assert.Empty(google.Objects);
        Assert.DoesNotContain(google.Files, file => file.Bytes.Length > 0);
        Assert.Empty(dropbox.Files);
    }

    /// <summary>What the three services answer when they have a file, with one thing wrong.</summary>
    private static string Yes(string service, Delivery delivery, string wrong)
    {
        var (isOther, isLonger, isDamaged) = (wrong == "another object", wrong == "another size", wrong is "another hash" or "another object");
        var size = delivery.SizeBytes + (isLonger ? 1 : 0);
        var hash = isDamaged ? new string('0', 64) : FakeDropbox.ContentHash(Sample.Bytes(delivery));
        return new JsonObject
        {
            ["name"] = isOther || service != "gcs" ? "other" : KeyTemplate.Render(delivery.Config.Required("keyTemplate"), delivery),
            ["id"] = isOther ? "other" : FileId,
            ["size"] = service == "dropbox" ? size : size.ToString(CultureInfo.InvariantCulture),
            ["crc32c"] = isDamaged ? "AAAAAA==" : FakeGoogle.Crc32CReference(Sample.Bytes(delivery)),
            ["sha256Checksum"] = isDamaged ? hash : delivery.Sha256,
            ["content_hash"] = hash,
        }.ToJsonString();
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
            case (_, "201 and nothing" or "204" or "a redirect"):
                response.StatusCode = manner switch { "204" => 204, "a redirect" => 302, _ => 201 };
                response.Headers.Location = "/elsewhere";
                break;
            case ("HEAD", "an empty object" or "a shorter object" or "another object"):
                response.Headers["x-amz-meta-apertur-image-id"] = (manner == "another object" ? Guid.NewGuid() : delivery().ImageId).ToString();
                response.Headers.ETag = "\"d41d8cd98f00b204e9800998ecf8427e\"";
                var size = delivery().SizeBytes;
                response.ContentLength = manner switch { "an empty object" => 0, "a shorter object" => size - 1, _ => size };
                break;
            case ("HEAD", _):
                response.StatusCode = 404;
                break;
            case (_, "nothing") or ("DELETE", _):
                break;
            case ("POST", "a cut beginning"):
                await SayAsync("<InitiateMultipartUploadResult><Bucket>photos</Bucket><Key>k</Key><UploadId>u");
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
            case ("POST", "a cut completion"):
                await SayAsync("<CompleteMultipartUploadResult><Bucket>photos</Bucket><Key>k</Key><ETag>\"00");
                break;
            case ("POST", "another tag" or "an empty object" or "a shorter object" or "another object"):
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
