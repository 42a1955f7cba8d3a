using System.Text;
using System.Text.Json.Nodes;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>A new bucket in an S3 server of the tests, seen past the code under test.</summary>
internal sealed class Bucket : IDisposable
{
    public const string AccessKeyId = "test:tester";
    public const string SecretAccessKey = "testing";

    private readonly AmazonS3Client _client;

    private Bucket(AmazonS3Client client, string endpoint) => (_client, Endpoint) = (client, endpoint);

    public string Name { get; } = $"test-{Guid.NewGuid():N}";

    public string Endpoint { get; }

    public static async Task<Bucket> MakeAsync(S3Service service = S3Service.Swift)
    {
        var endpoint = Components.S3Endpoint(service);
        var client = new AmazonS3Client(new BasicAWSCredentials(AccessKeyId, SecretAccessKey), new AmazonS3Config
        {
            ServiceURL = endpoint,
            AuthenticationRegion = "us-east-1",
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });
        var bucket = new Bucket(client, endpoint);
        await client.PutBucketAsync(bucket.Name);
        return bucket;
    }

    /// <summary>The configuration that leads here, with <paramref name="more"/> over it.</summary>
    public JsonObject Config(JsonObject? more = null)
    {
        var values = new JsonObject
        {
            ["bucket"] = Name,
            ["region"] = "us-east-1",
            ["accessKeyId"] = AccessKeyId,
            ["secretAccessKey"] = SecretAccessKey,
            ["endpoint"] = Endpoint,
        };
        foreach (var (name, value) in more ?? [])
            values[name] = value?.DeepClone();
        return values;
    }

    /// <summary>The settings with which a server keeps its photos here.</summary>
    /// <param name="kind">Where new photos go.</param>
    /// <param name="endpoint">What stands before the service, when something does.</param>
    public Dictionary<string, string?> StorageSettings(string kind = "S3", string? endpoint = null) => new()
    {
        ["Storage:Kind"] = kind,
        ["Storage:S3:Endpoint"] = endpoint ?? Endpoint,
        ["Storage:S3:Bucket"] = Name,
        ["Storage:S3:Prefix"] = "photos",
        ["Storage:S3:AccessKeyId"] = AccessKeyId,
        ["Storage:S3:SecretAccessKey"] = SecretAccessKey,
        ["Storage:S3:AllowPrivateNetworks"] = "true",
    };

    public async Task<IReadOnlyList<string>> KeysAsync()
    {
        var keys = new List<string>();
        var request = new ListObjectsV2Request { BucketName = Name };
        ListObjectsV2Response page;
        do
        {
            page = await _client.ListObjectsV2Async(request);
            keys.AddRange(page.S3Objects?.Select(o => o.Key) ?? []);
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
        return keys;
    }

    public async Task<IReadOnlyList<string>> UnfinishedUploadsAsync() =>
        [.. (await _client.ListMultipartUploadsAsync(Name)).MultipartUploads?.Select(upload => upload.Key) ?? []];

    public async Task<(byte[] Bytes, string ContentType, IReadOnlyDictionary<string, string> Metadata)> ReadAsync(string key)
    {
        using var found = await _client.GetObjectAsync(Name, key);
        using var bytes = new MemoryStream();
        await found.ResponseStream.CopyToAsync(bytes);
        return (bytes.ToArray(), found.Headers.ContentType, found.Metadata.Keys.ToDictionary(name => name, name => found.Metadata[name]));
    }

    public Task WriteAsync(string key, string text) => WriteAsync(key, Encoding.UTF8.GetBytes(text));

    public Task WriteAsync(string key, byte[] bytes) => _client.PutObjectAsync(new PutObjectRequest
    {
        BucketName = Name,
        Key = key,
        InputStream = new MemoryStream(bytes),
        UseChunkEncoding = false,
    });

    public Task DeleteAsync(string key) => _client.DeleteObjectAsync(Name, key);

    /// <summary>What is in it goes with the server, after the last test.</summary>
    public void Dispose() => _client.Dispose();
}
