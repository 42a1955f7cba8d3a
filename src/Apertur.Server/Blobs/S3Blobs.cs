using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Apertur.Destinations;
using Apertur.Server.Storage;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Blobs;

/// <summary>
/// Blobs as objects in a bucket of Amazon S3, or of any service that speaks its language, below a prefix that no other program writes to. What a write
/// sends is proven before it returns: by the entity tag, which is the MD5 of what was sent, or where the service makes it otherwise by the
/// <c>Content-MD5</c> that it had to check and the length it has stored.
/// </summary>
internal sealed class S3Blobs : IBlobs
{
    /// <summary>Largest object sent in one request, and the size of a part of larger ones (services ask for at least 5 MiB).</summary>
    public const int PartBytes = 8 * 1024 * 1024;

    private const string ProbeKey = "probe";

    // One request, of which the largest sends a part: 280 kB/s.
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _longestCleanUp = TimeSpan.FromSeconds(5);

    private readonly OutboundHttp _http;
    private readonly AmazonS3Client _client;
    private readonly string _bucket;
    private readonly string _prefix;
    private readonly ConcurrentQueue<Func<CancellationToken, Task>> _leftovers = new();
    private long _succeededAt = long.MinValue;
    private int _cleaning;

    public S3Blobs(S3StorageSettings settings)
    {
        _bucket = settings.Bucket;
        _prefix = settings.Prefix.Trim('/') is { Length: > 0 } prefix ? prefix + "/" : "";
        _http = new OutboundHttp(settings.AllowPrivateNetworks);
        _client = S3Clients.Create(
            settings.Endpoint.Length > 0 ? settings.Endpoint : null, settings.Region, settings.Endpoint.Length > 0 && settings.PathStyle,
            new BasicAWSCredentials(settings.AccessKeyId, settings.SecretAccessKey), new GuardedClients(_http, fetches: true), retries: 2);
        Buffers = new BufferBudget(settings.BufferMb);
    }

    public string Root => $"s3://{_bucket}/{_prefix}";

    public long? FreeBytes => null;

    public bool IsProven => Interlocked.Read(ref _succeededAt) is var at && at != long.MinValue && Environment.TickCount64 - at < 1000;

    /// <summary>What images on their way hold together.</summary>
    public BufferBudget Buffers { get; }

    public string PathOf(string key) => Root + key;

    public BlobWriter Create(Guid id, string key) => new S3BlobWriter(id, key, this);

    public async Task<Stream> OpenReadAsync(string key, long position, CancellationToken cancellationToken)
    {
        var response = await GetAsync(key, position, cancellationToken);
        // Of a part of an object: bytes 5-9/10.
        var length = response.ContentRange is { Length: > 0 } range
            ? long.Parse(range.AsSpan(range.LastIndexOf('/') + 1), System.Globalization.CultureInfo.InvariantCulture)
            : response.ContentLength;
        return new S3ReadStream(this, key, length, position, response);
    }

    public async Task<long?> LengthOfAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return (await CallAsync((s3, ct) => s3.GetObjectMetadataAsync(_bucket, _prefix + key, ct), cancellationToken)).ContentLength;
        }
        // The answer to HEAD has no body, and so no word of what is not there.
        catch (ObjectStoreException failure) when (failure.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.NotFound })
        {
            return null;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    public async Task<bool> WriteAsync(string key, ReadOnlyMemory<byte> content, bool overwrite, CancellationToken cancellationToken)
    {
        using var body = new PartBuffer(Buffers);
        await body.AddAsync(content, cancellationToken);
        if (overwrite)
        {
            await PutAsync(key, body, ifAbsent: false, cancellationToken);
            return true;
        }

        if (await LengthOfAsync(key, cancellationToken) is not null)
            return false;
        try
        {
            await PutAsync(key, body, ifAbsent: true, cancellationToken);
            return true;
        }
        catch (ObjectStoreException failure) when (StatusOf(failure) is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict)
        {
            return false;
        }
        // Services that cannot do it leave a moment in which two may write; the last one counts for both.
        catch (ObjectStoreException failure) when (StatusOf(failure) is HttpStatusCode.NotImplemented)
        {
            await PutAsync(key, body, ifAbsent: false, cancellationToken);
            return true;
        }
    }

    public async IAsyncEnumerable<StoredFile> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ListObjectsV2Request { BucketName = _bucket, Prefix = _prefix + (folder.Length > 0 ? folder + "/" : "") };
        while (true)
        {
            var page = await CallAsync((s3, ct) => s3.ListObjectsV2Async(request, ct), cancellationToken);
            foreach (var found in page.S3Objects ?? [])
                yield return new StoredFile(found.Key[_prefix.Length..], found.Size ?? 0, found.LastModified?.ToUniversalTime() ?? DateTimeOffset.MaxValue);
            if (page.IsTruncated != true)
                yield break;
            request.ContinuationToken = page.NextContinuationToken;
        }
    }

    public async Task<bool> MoveAsync(string key, string newKey, CancellationToken cancellationToken)
    {
        if (await LengthOfAsync(key, cancellationToken) is not { } length)
            return false;
        // It may be there already, from a move that was broken off.
        if (await LengthOfAsync(newKey, cancellationToken) != length)
        {
            try
            {
                await CallAsync((s3, ct) => s3.CopyObjectAsync(_bucket, _prefix + key, _bucket, _prefix + newKey, ct), cancellationToken);
            }
            catch (FileNotFoundException)
            {
                return false;
            }

            if (await LengthOfAsync(newKey, cancellationToken) != length)
                throw NotStored();
        }

        await DeleteAsync(key, cancellationToken);
        return true;
    }

    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            await CallAsync((s3, ct) => s3.DeleteObjectAsync(_bucket, _prefix + key, ct), cancellationToken);
        }
        catch (FileNotFoundException)
        {
        }
    }

    /// <summary>Ends uploads in parts that a crash left, which cost their owner money and show in no list of objects.</summary>
    public async Task DeleteDraftsAsync(DateTimeOffset olderThan, CancellationToken cancellationToken)
    {
        try
        {
            var request = new ListMultipartUploadsRequest { BucketName = _bucket, Prefix = _prefix };
            ListMultipartUploadsResponse page;
            do
            {
                page = await CallAsync((s3, ct) => s3.ListMultipartUploadsAsync(request, ct), cancellationToken);
                foreach (var upload in (page.MultipartUploads ?? []).Where(upload => upload.Initiated?.ToUniversalTime() < olderThan))
                    await CallAsync((s3, ct) => s3.AbortMultipartUploadAsync(_bucket, upload.Key, upload.UploadId, ct), cancellationToken);
                (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
            }
            while (page.IsTruncated == true);
        }
        // Not everybody may list them, and not every service can; some end them by a rule of the bucket.
        catch (ObjectStoreException failure) when (StatusOf(failure) is HttpStatusCode.Forbidden or HttpStatusCode.NotImplemented)
        {
        }
    }

    public void RequireRoom()
    {
    }

    public Task CheckAsync(CancellationToken cancellationToken) => WriteAsync(ProbeKey, "probe"u8.ToArray(), overwrite: true, cancellationToken);

    public void Dispose()
    {
        _client.Dispose();
        _http.Dispose();
        Buffers.Dispose();
    }

    /// <summary>One request: its time, and what its failures mean.</summary>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    /// <exception cref="ObjectStoreException">Everything else.</exception>
    public async Task<T> CallAsync<T>(Func<AmazonS3Client, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_longest);
        try
        {
            return await call(_client, limit.Token);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && ObjectStoreException.Of(exception) is { } failure)
        {
            if (failure is ObjectStoreException)
                Interlocked.Exchange(ref _succeededAt, long.MinValue);
            throw failure;
        }
    }

    public Task<GetObjectResponse> GetAsync(string key, long position, CancellationToken cancellationToken) => CallAsync(
        (s3, ct) => s3.GetObjectAsync(
            new GetObjectRequest
            {
                BucketName = _bucket,
                Key = _prefix + key,
                ByteRange = position > 0 ? new ByteRange($"bytes={position}-") : null,
            },
            ct),
        cancellationToken);

    /// <summary>Writes an object in one request. Proven when it returns.</summary>
    public async Task PutAsync(string key, PartBuffer body, bool ifAbsent, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var md5 = body.Md5();
        await using var stream = body.OpenRead();
        var stored = await CallAsync(
            (s3, ct) => s3.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = _bucket,
                    Key = _prefix + key,
                    InputStream = stream,
                    AutoCloseStream = false,
                    ContentType = "application/octet-stream",
                    UseChunkEncoding = false,
                    MD5Digest = Convert.ToBase64String(md5),
                    IfNoneMatch = ifAbsent ? "*" : null,
                },
                ct),
            cancellationToken);
        await RequireStoredAsync(key, body.Length, Convert.ToHexStringLower(md5), stored.ETag, cancellationToken);
        Instruments.Syncs.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>Begins an object that is sent in parts.</summary>
    public async Task<S3Parts> BeginPartsAsync(string key, CancellationToken cancellationToken)
    {
        var begun = await CallAsync(
            (s3, ct) => s3.InitiateMultipartUploadAsync(
                new InitiateMultipartUploadRequest { BucketName = _bucket, Key = _prefix + key, ContentType = "application/octet-stream" }, ct),
            cancellationToken);
        return begun.UploadId is { Length: > 0 } uploadId ? new S3Parts(this, _bucket, _prefix + key, key, uploadId) : throw NotStored();
    }

    /// <summary>A status alone proves nothing: a page in between answers 200 as well.</summary>
    public async Task RequireStoredAsync(string key, long length, string expectedTag, string? tag, CancellationToken cancellationToken)
    {
        if (!string.Equals(tag?.Trim('"'), expectedTag, StringComparison.OrdinalIgnoreCase)
            && await LengthOfAsync(key, cancellationToken) != length)
            throw NotStored();
        Interlocked.Exchange(ref _succeededAt, Environment.TickCount64);
        if (!_leftovers.IsEmpty && Interlocked.CompareExchange(ref _cleaning, 1, 0) == 0)
            _ = Task.Run(CleanUpAsync, CancellationToken.None);
    }

    /// <summary>Removes what an upload left that came to nothing; what cannot be removed now is when the store answers again.</summary>
    public async Task CleanUpAsync(Func<CancellationToken, Task> remove)
    {
        using var limit = new CancellationTokenSource(_longestCleanUp);
        try
        {
            await remove(limit.Token);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            _leftovers.Enqueue(remove);
        }
    }

    private async Task CleanUpAsync()
    {
        for (var left = _leftovers.Count; left > 0 && _leftovers.TryDequeue(out var remove); left--)
            await CleanUpAsync(remove);
        Interlocked.Exchange(ref _cleaning, 0);
    }

    private static HttpStatusCode? StatusOf(ObjectStoreException failure) => (failure.InnerException as AmazonServiceException)?.StatusCode;

    private static ObjectStoreException NotStored() =>
        new(StorageFaultKind.Unavailable, "The object store said yes, but the object is not there.");
}
