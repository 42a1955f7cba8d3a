using System.Collections.Concurrent;
using System.Net;
using System.Text.RegularExpressions;
using Amazon.S3;

namespace Apertur.Destinations;

/// <summary>
/// Puts every image as one object into a bucket of Amazon S3 or of any service that speaks its language.
/// </summary>
/// <remarks>
/// <b>One object.</b> The name comes from the template, so a repeat arrives at the same one. Objects carry the image's id:
/// one that is there already is told apart from another image of the same name, which is never overwritten
/// (<see cref="KeyTemplate.Alternative"/>). Amazon decides by <c>If-None-Match: *</c> alone. Elsewhere the header may be
/// refused (501) or ignored, so every delivery looks first, one at a time for each name; where the key may not look, it takes the name
/// with the image's id at once. What remains open: two servers, a service without conditional writes (for large images, Ceph too),
/// and a template that gives two images one name in the same instant; and at Amazon, a key that may not look leaves a second
/// object when a reply is lost. <c>{id}</c> in the template rules out the former, <c>s3:GetObject</c> the latter.
/// </remarks>
/// <param name="http">The guarded way out.</param>
/// <param name="clock">Time limits.</param>
public sealed partial class S3Destination(OutboundHttp http, TimeProvider clock) : IDestinationType
{
    /// <summary>For removing what a failed attempt or a test left.</summary>
    internal static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(5);


    // More endpoints than a server serves; a limit because endpoints are users' input.
    private const int MaxRemembered = 1000;

    private readonly GuardedClients _clients = new(http);
    private readonly ConcurrentDictionary<string, bool> _cannotCondition = new();
    private readonly KeyedLock _locks = new();

    public string Type => "s3";

    public string Label => "Amazon S3 or compatible";

    public IReadOnlyList<ConfigField> Fields { get; } =
    [
        new("bucket", "Bucket")
        {
            Required = true,
            Check = text => BucketName().IsMatch(text)
                ? null
                : "A bucket's name has 2 to 255 letters, digits, dots, hyphens and underscores.",
        },
        new("region", "Region")
        {
            Required = true,
            Check = text => RegionName().IsMatch(text) ? null : "A region is written like eu-central-1.",
            Help = "Such as eu-central-1. Services without regions commonly take us-east-1 or auto.",
        },
        new("accessKeyId", "Access key ID") { Required = true },
        new("secretAccessKey", "Secret access key") { Required = true, Secret = true },
        new("endpoint", "Endpoint", ConfigFieldKind.Url)
        {
            Help = "The address of an S3-compatible service. Empty for Amazon S3.",
        },
        new("forcePathStyle", "Bucket in the path", ConfigFieldKind.Switch)
        {
            Help = "Addresses https://endpoint/bucket/key instead of https://bucket.endpoint/key. On when there is an endpoint.",
        },
        new("keyTemplate", "Key template") { Default = KeyTemplate.Default, Check = KeyTemplate.Problem },
        new("storageClass", "Storage class")
        {
            Check = text => StorageClassName().IsMatch(text) ? null : "A storage class is written like STANDARD_IA.",
            Help = "Such as STANDARD_IA. The bucket's default when empty.",
        },
        new("serverSideEncryption", "Server-side encryption") { Allowed = ["AES256", "aws:kms"] },
    ];

    public async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        var key = KeyTemplate.Render(delivery.Config.Required("keyTemplate"), delivery);
        var endpoint = delivery.Config.Text("endpoint");
        // Amazon needs no turns: there the condition alone decides.
        using var turn = endpoint is null
            ? null
            : await _locks.TakeAsync($"{endpoint} {delivery.Config.Required("bucket")} {key}", cancellationToken).ConfigureAwait(false);
        return await WithBucketAsync(delivery.Config, delivery.SizeBytes, async bucket =>
        {
            if (await StoreAsync(bucket, key, endpoint, delivery).ConfigureAwait(false))
                return Accepted(bucket, key);

            // The name holds the image's id: what is there already can only be an earlier attempt's, and the same bytes.
            var alternative = KeyTemplate.Alternative(key, delivery);
            await bucket.WriteAsync(alternative, delivery, S3Write.Replacing).ConfigureAwait(false);
            return Accepted(bucket, alternative);
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes, looks at and deletes one small object beside the place where images would go.</summary>
    public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken)
    {
        var test = TestImage.Delivery(config, clock);
        var place = KeyTemplate.Render(config.Required("keyTemplate"), test);
        // A name of its own for every test: two at once must not remove each other's object.
        var key = KeyTemplate.Alternative(place, test with { ImageId = test.Id });
        return WithBucketAsync(config, test.SizeBytes, async bucket =>
        {
            try
            {
                await bucket.WriteAsync(key, test, S3Write.Replacing).ConfigureAwait(false);
                var found = await bucket.LookAsync(key, test).ConfigureAwait(false);
                return found is S3Object.SameImage or S3Object.Unknown
                    ? new DeliveryOutcome.Accepted(bucket.Name)
                    : new DeliveryOutcome.TryAgain("The service took an object but does not give it back.");
            }
            finally
            {
                await CleanUpAsync(bucket, key).ConfigureAwait(false);
            }
        }, cancellationToken);
    }

    private static DeliveryOutcome.Accepted Accepted(S3Bucket bucket, string key) => new($"{bucket.Name}/{key}");

    /// <summary>Puts the image under this key, if it is free.</summary>
    /// <returns>Whether the image is there now; false when another is, or may be.</returns>
    private async Task<bool> StoreAsync(S3Bucket bucket, string key, string? endpoint, Delivery delivery)
    {
        if (endpoint is null)
            return await WriteIfAbsentAsync(bucket, key, delivery).ConfigureAwait(false);

        var found = await bucket.LookAsync(key, delivery).ConfigureAwait(false);
        if (found != S3Object.Absent)
            return found == S3Object.SameImage;

        var refused = false;
        if (!_cannotCondition.ContainsKey(endpoint))
        {
            try
            {
                return await WriteIfAbsentAsync(bucket, key, delivery).ConfigureAwait(false);
            }
            // Perhaps the condition, perhaps something else that the request asked for.
            catch (AmazonS3Exception refusal) when (refusal.StatusCode == HttpStatusCode.NotImplemented)
            {
                refused = true;
            }
        }

        var written = await bucket.WriteAsync(key, delivery, S3Write.Looking).ConfigureAwait(false);
        if (refused)
        {
            if (_cannotCondition.Count >= MaxRemembered)
                _cannotCondition.Clear();
            _cannotCondition[endpoint] = true;
        }

        return written;
    }

    private static async Task<bool> WriteIfAbsentAsync(S3Bucket bucket, string key, Delivery delivery)
    {
        try
        {
            return await bucket.WriteAsync(key, delivery, S3Write.IfAbsent).ConfigureAwait(false);
        }
        catch (AmazonS3Exception refusal) when (refusal.StatusCode == HttpStatusCode.PreconditionFailed)
        {
            return await bucket.LookAsync(key, delivery).ConfigureAwait(false) == S3Object.SameImage;
        }
        // Somebody else is writing that name at this moment. Who it was shows at the next attempt.
        catch (AmazonS3Exception refusal) when (refusal.StatusCode == HttpStatusCode.Conflict)
        {
            if (await bucket.LookAsync(key, delivery).ConfigureAwait(false) == S3Object.SameImage)
                return true;
            throw;
        }
    }

    private async Task<DeliveryOutcome> WithBucketAsync(
        DestinationConfig config, long bytes, Func<S3Bucket, Task<DeliveryOutcome>> act, CancellationToken cancellationToken)
    {
        using var deadline = new TransferDeadline(TransferDeadline.LongestSilence, bytes, clock, cancellationToken);
        using var bucket = new S3Bucket(config, _clients, deadline);
        try
        {
            return await act(bucket).ConfigureAwait(false);
        }
        catch (Exception exception) when (S3Outcome.IsFailure(exception))
        {
            return deadline.Verdict() ?? S3Outcome.Of(exception, bucket.Name, clock);
        }
    }

    private async Task CleanUpAsync(S3Bucket bucket, string key)
    {
        using var limit = new CancellationTokenSource(CleanUpTime, clock);
        try
        {
            await bucket.DeleteAsync(key, limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (S3Outcome.IsFailure(exception))
        {
            // A key that may write but not delete is a good key: deliveries never delete.
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._\-]{1,254}\z")]
    private static partial Regex BucketName();

    [GeneratedRegex(@"^[A-Za-z0-9\-]{1,40}\z")]
    private static partial Regex RegionName();

    [GeneratedRegex(@"^[A-Z0-9_]{1,40}\z")]
    private static partial Regex StorageClassName();
}
