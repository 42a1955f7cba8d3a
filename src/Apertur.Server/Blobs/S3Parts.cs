using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using Amazon.S3.Model;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Blobs;

/// <summary>One object that is sent in parts (multipart upload). It is there when all of it is, or not at all.</summary>
internal sealed class S3Parts(S3Blobs blobs, string bucket, string objectKey, string key, string uploadId) : IDisposable
{
    [SuppressMessage("Security", "CA5351", Justification = "The protocol's. What is signed is the SHA-256.")]
    private readonly IncrementalHash _md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
    private readonly List<PartETag> _tags = [];
    private long _length;

    /// <summary>Sends the next part.</summary>
    public async Task SendAsync(PartBuffer body, bool isLast, CancellationToken cancellationToken)
    {
        var md5 = body.Md5();
        await using var stream = body.OpenRead();
        var part = await blobs.CallAsync(
            (s3, ct) => s3.UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = bucket,
                    Key = objectKey,
                    UploadId = uploadId,
                    PartNumber = _tags.Count + 1,
                    PartSize = body.Length,
                    IsLastPart = isLast,
                    InputStream = stream,
                    UseChunkEncoding = false,
                    MD5Digest = Convert.ToBase64String(md5),
                },
                ct),
            cancellationToken);
        _tags.Add(new PartETag(_tags.Count + 1, part.ETag));
        _md5.AppendData(md5);
        _length += body.Length;
    }

    /// <summary>Makes the object of its parts. Proven when it returns.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var completed = await blobs.CallAsync(
            (s3, ct) => s3.CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest { BucketName = bucket, Key = objectKey, UploadId = uploadId, PartETags = _tags }, ct),
            cancellationToken);
        // What services give an object of parts: the MD5 of the MD5s of its parts, and their number. Ceph 16 tells it afterwards only.
        var expected = string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(_md5.GetCurrentHash())}-{_tags.Count}");
        await blobs.RequireStoredAsync(key, _length, expected, completed.ETag, cancellationToken);
        Instruments.Syncs.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>Takes the parts back.</summary>
    public async Task AbortAsync(CancellationToken cancellationToken)
    {
        try
        {
            await blobs.CallAsync((s3, ct) => s3.AbortMultipartUploadAsync(bucket, objectKey, uploadId, ct), cancellationToken);
        }
        // An object has been made of them, or they are gone already.
        catch (ObjectStoreException failure) when (failure.InnerException is Amazon.S3.AmazonS3Exception { ErrorCode: "NoSuchUpload" })
        {
        }
    }

    public void Dispose() => _md5.Dispose();
}
