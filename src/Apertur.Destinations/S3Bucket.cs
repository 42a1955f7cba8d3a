using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Apertur.Destinations;

/// <summary>What stands under a key.</summary>
internal enum S3Object
{
    Absent,

    /// <summary>This very image: a repeat of its delivery has nothing left to do.</summary>
    SameImage,

    OtherImage,

    /// <summary>The service does not let us look.</summary>
    Unknown,
}

/// <summary>What a write does about an object of its name.</summary>
internal enum S3Write
{
    /// <summary>Replaces it.</summary>
    Replacing,

    /// <summary>Has looked before, and large images look again before they appear.</summary>
    Looking,

    /// <summary>As <see cref="Looking"/>, and asks the service to refuse (412, 409).</summary>
    IfAbsent,
}

/// <summary>
/// One bucket for the time of one attempt: the few calls a delivery needs, with settings that every S3-compatible service
/// takes.
/// </summary>
internal sealed class S3Bucket : IDisposable
{
    /// <summary>
    /// Largest object sent in one request, and the size of a part of larger ones (services ask for at least 5 MiB).
    /// </summary>
    public const int PartBytes = 8 * 1024 * 1024;

    private const string ImageId = "apertur-image-id";

    // What Swift takes in one value; Amazon takes 2 kB in all of them together.
    private const int MaxMetadataLength = 256;

    private readonly DestinationConfig _config;
    private readonly TransferDeadline _deadline;
    private readonly AmazonS3Client _client;

    public S3Bucket(DestinationConfig config, HttpClientFactory guarded, TransferDeadline deadline)
    {
        _config = config;
        _deadline = deadline;
        Name = config.Required("bucket");
        var endpoint = config.Text("endpoint");
        // When to try again is decided elsewhere, for every destination alike.
        _client = S3Clients.Create(
            endpoint, config.Required("region"), config.Switch("forcePathStyle") ?? endpoint is not null,
            new BasicAWSCredentials(config.Required("accessKeyId"), config.Required("secretAccessKey")), guarded, retries: 0);
    }

    public string Name { get; }

    /// <summary>What is there, by the image id that every object of ours carries.</summary>
    public async Task<S3Object> LookAsync(string key, Delivery delivery)
    {
        try
        {
            var found = await _client.GetObjectMetadataAsync(Name, key, _deadline.Token).ConfigureAwait(false);
            _deadline.Progress();
            return found.Metadata[ImageId] == delivery.ImageId.ToString() && found.ContentLength == delivery.SizeBytes ? S3Object.SameImage : S3Object.OtherImage;
        }
        catch (AmazonS3Exception refusal) when (refusal.StatusCode == HttpStatusCode.NotFound)
        {
            return S3Object.Absent;
        }
        // Amazon answers 403 for absent objects too, when listing is not allowed. As for other refusals: the answer to HEAD
        // has no body and so no reason in it, while the one to the write that follows has. What passes by itself is none of
        // these: after it the same question may well find the image.
        catch (AmazonS3Exception refusal) when (refusal.StatusCode < HttpStatusCode.InternalServerError
            && refusal.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout))
        {
            return S3Object.Unknown;
        }
    }

    /// <summary>Writes the object, in parts when it is large; parts of a failed attempt are removed.</summary>
    /// <param name="key">Its name.</param>
    /// <param name="delivery">Its bytes, type and identity.</param>
    /// <param name="mode">What to do about an object of that name.</param>
    /// <returns>False when another image turned out to have that name.</returns>
    /// <exception cref="S3NotStoredException">The service said yes, and nothing proves that it has the object.</exception>
    public async Task<bool> WriteAsync(string key, Delivery delivery, S3Write mode)
    {
        using var image = delivery.OpenRead();
        var written = true;
        if (delivery.SizeBytes > PartBytes)
            written = await WritePartsAsync(key, delivery, image, mode).ConfigureAwait(false);
        else
            await WriteWholeAsync(key, delivery, image, mode).ConfigureAwait(false);
        _deadline.Progress();
        return written;
    }

    public Task DeleteAsync(string key, CancellationToken cancellationToken) =>
        _client.DeleteObjectAsync(Name, key, cancellationToken);

    public void Dispose() => _client.Dispose();

    private async Task WriteWholeAsync(string key, Delivery delivery, Stream image, S3Write mode)
    {
        var md5 = await Md5Async(image, delivery.SizeBytes).ConfigureAwait(false);
        var put = new PutObjectRequest
        {
            BucketName = Name,
            Key = key,
            InputStream = image,
            AutoCloseStream = false,
            ContentType = delivery.MimeType,
            UseChunkEncoding = false,
            MD5Digest = Convert.ToBase64String(md5),
            IfNoneMatch = mode == S3Write.IfAbsent ? "*" : null,
            StorageClass = StorageClass,
            ServerSideEncryptionMethod = Encryption,
            StreamTransferProgress = (_, _) => _deadline.Progress(),
        };
        Describe(put.Metadata, delivery);
        // Signed as it is known. The SDK would read the whole image for it, and when that breaks off, because the file has just been damaged, it
        // leaves its hash half way: the next upload on the same thread is then signed with another one, and refused.
        put.Headers["x-amz-content-sha256"] = delivery.Sha256;
        var stored = await _client.PutObjectAsync(put, _deadline.Token).ConfigureAwait(false);
        await RequireStoredAsync(stored.ETag, Convert.ToHexStringLower(md5), key, delivery).ConfigureAwait(false);
    }

    /// <summary>
    /// A status alone proves nothing: a page in between answers 200 as well. The entity tag does when it is the MD5 of what was sent, which it
    /// is for objects without a key of their own (docs of PutObject); else the object is looked at.
    /// </summary>
    private async Task RequireStoredAsync(string? tag, string expected, string key, Delivery delivery)
    {
        tag = tag?.Trim('"');
        if (string.Equals(tag, expected, StringComparison.OrdinalIgnoreCase))
            return;
        var found = await LookAsync(key, delivery).ConfigureAwait(false);
        // Amazon does not let everybody look who may write.
        if (found != S3Object.SameImage && !(found == S3Object.Unknown && _config.Text("endpoint") is null && tag is { Length: >= 32 }))
            throw new S3NotStoredException();
    }

    private async Task<bool> WritePartsAsync(string key, Delivery delivery, Stream image, S3Write mode)
    {
        var start = new InitiateMultipartUploadRequest
        {
            BucketName = Name,
            Key = key,
            ContentType = delivery.MimeType,
            StorageClass = StorageClass,
            ServerSideEncryptionMethod = Encryption,
        };
        Describe(start.Metadata, delivery);
        var upload = await _client.InitiateMultipartUploadAsync(start, _deadline.Token).ConfigureAwait(false);
        if (string.IsNullOrEmpty(upload.UploadId))
            throw new S3NotStoredException();
        var completed = false;
        using var digests = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        try
        {
            var complete = new CompleteMultipartUploadRequest
            {
                BucketName = Name,
                Key = key,
                UploadId = upload.UploadId,
                IfNoneMatch = mode == S3Write.IfAbsent ? "*" : null,
                PartETags = [],
            };
            var left = delivery.SizeBytes;
            for (var number = 1; left > 0; number++)
            {
                var size = Math.Min(left, PartBytes);
                left -= size;
                var md5 = await Md5Async(image, size).ConfigureAwait(false);
                digests.AppendData(md5);
                var part = await _client.UploadPartAsync(
                    new UploadPartRequest
                    {
                        BucketName = Name,
                        Key = key,
                        UploadId = upload.UploadId,
                        PartNumber = number,
                        PartSize = size,
                        IsLastPart = left == 0,
                        InputStream = image,
                        UseChunkEncoding = false,
                        MD5Digest = Convert.ToBase64String(md5),
                        StreamTransferProgress = (_, _) => _deadline.Progress(),
                    },
                    _deadline.Token).ConfigureAwait(false);
                if (string.IsNullOrEmpty(part.ETag))
                    throw new S3NotStoredException();
                complete.PartETags.Add(new PartETag(number, part.ETag));
                _deadline.Progress();
            }

            // Swift and Ceph ignore the condition when parts become an object, and sending the parts took its time.
            if (mode != S3Write.Replacing && await LookAsync(key, delivery).ConfigureAwait(false) == S3Object.OtherImage)
                return false;

            var tag = await CompleteAsync(complete).ConfigureAwait(false);
            // What services give an object of parts: the MD5 of the MD5s of its parts, and their number.
            var expected = string.Create(
                CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(digests.GetHashAndReset())}-{complete.PartETags.Count}");
            await RequireStoredAsync(tag, expected, key, delivery).ConfigureAwait(false);
            return completed = true;
        }
        finally
        {
            if (!completed)
                await AbortAsync(key, upload.UploadId).ConfigureAwait(false);
        }
    }

    private async Task<string?> CompleteAsync(CompleteMultipartUploadRequest complete)
    {
        try
        {
            return (await _client.CompleteMultipartUploadAsync(complete, _deadline.Token).ConfigureAwait(false)).ETag;
        }
        // The parts are there; sending them all again for a header would be a waste.
        catch (AmazonS3Exception refusal)
            when (complete.IfNoneMatch is not null && refusal.StatusCode == HttpStatusCode.NotImplemented)
        {
            complete.IfNoneMatch = null;
            return (await _client.CompleteMultipartUploadAsync(complete, _deadline.Token).ConfigureAwait(false)).ETag;
        }
    }

    /// <summary>
    /// Parts without an object cost their owner money and show nowhere. They go even when the server is stopping.
    /// </summary>
    private async Task AbortAsync(string key, string uploadId)
    {
        using var limit = new CancellationTokenSource(S3Destination.CleanUpTime, _deadline.Clock);
        for (var tries = 0; tries < 3 && !limit.IsCancellationRequested; tries++)
        {
            try
            {
                await _client.AbortMultipartUploadAsync(Name, key, uploadId, limit.Token).ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (S3Outcome.IsFailure(exception))
            {
                // What ended the upload is the news; that its parts could not be removed as well follows from it.
            }
        }
    }

    /// <summary>
    /// The MD5 of the next bytes, which stay to be read: sent as <c>Content-MD5</c>, and looked for in entity tags. Buckets with Object Lock take nothing without it, and unlike
    /// the newer checksums every service knows it.
    /// </summary>
    [SuppressMessage("Security", "CA5351", Justification = "The protocol's. What is signed is the SHA-256.")]
    private async Task<byte[]> Md5Async(Stream image, long length)
    {
        var start = image.Position;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            for (var left = length; left > 0;)
            {
                var read = await image.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), _deadline.Token)
                    .ConfigureAwait(false);
                if (read == 0)
                    throw new EndOfStreamException("The stored image is shorter than its record says.");
                hash.AppendData(buffer, 0, read);
                left -= read;
            }

            return hash.GetHashAndReset();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            image.Position = start;
        }
    }

    private S3StorageClass? StorageClass => _config.Text("storageClass") is { } name ? S3StorageClass.FindValue(name) : null;

    private ServerSideEncryptionMethod? Encryption =>
        _config.Text("serverSideEncryption") is { } name ? ServerSideEncryptionMethod.FindValue(name) : null;

    private static void Describe(MetadataCollection metadata, Delivery delivery)
    {
        metadata[ImageId] = delivery.ImageId.ToString();
        metadata["apertur-sha256"] = delivery.Sha256;
        if (delivery.OriginalSha256 is { } original)
            metadata["apertur-original-sha256"] = original;
        metadata["apertur-session-id"] = delivery.SessionId.ToString();
        if (delivery.Caption is { } caption)
            Add("apertur-caption", caption);
        foreach (var (name, answer) in delivery.Answers ?? [])
            Add("apertur-answer-" + name, (string)answer!);

        // A header holds ASCII only.
        void Add(string name, string words)
        {
            if (Uri.EscapeDataString(words) is { Length: <= MaxMetadataLength } text)
                metadata[name] = text;
        }
    }
}
