using System.Globalization;
using System.Net;
using System.Xml;
using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace Apertur.Destinations;

/// <summary>What the refusals of an S3-compatible service mean for a delivery, in words its owner can act on.</summary>
/// <remarks>The service's own message is never passed on: it may hold the access key or the text that was signed.</remarks>
internal static class S3Outcome
{
    /// <summary>
    /// What a call may throw when it is not a mistake of ours. The SDK unwraps a request's failure where an I/O error is
    /// inside, and one that was too long in connecting.
    /// </summary>
    public static bool IsFailure(Exception exception) =>
        exception is AmazonClientException or AmazonServiceException or HttpRequestException or OperationCanceledException
            or TimeoutException or XmlException or (IOException and not FileNotFoundException)
        || IsRedirect(exception);

    public static DeliveryOutcome Of(Exception exception, string bucket, TimeProvider clock)
    {
        if (exception is S3NotStoredException)
            return new DeliveryOutcome.TryAgain("The service said yes, but the object is not there.");
        // The SDK lets its parser's exception through.
        if (exception is XmlException)
            return new DeliveryOutcome.TryAgain("The service said yes, but its answer breaks off or is not one of its own.");
        if (IsRedirect(exception))
            return Redirect;
        if (exception is not AmazonServiceException { StatusCode: not 0 } refusal)
            return HttpOutcome.Of(Network(exception));
        return Of(refusal, bucket, clock) with { Status = (int)refusal.StatusCode };
    }

    private static DeliveryOutcome.Broken Redirect { get; } = new(
        "The endpoint answers with a redirect, and redirects are not followed. Enter the address it leads to.");

    /// <summary>The SDK reads the region from a 307's address, and throws this when it is no address of Amazon's.</summary>
    private static bool IsRedirect(Exception exception) => exception is ArgumentException { Source: "AWSSDK.S3" };

    private static DeliveryOutcome Of(AmazonServiceException refusal, string bucket, TimeProvider clock) => refusal.ErrorCode switch
    {
        "NoSuchBucket" => new DeliveryOutcome.Broken($"There is no bucket \"{bucket}\". Create it or correct the name."),
        "InvalidBucketName" => new DeliveryOutcome.Broken(
            $"The service does not take \"{bucket}\" as a bucket's name. Correct it."),
        "InvalidAccessKeyId" => new DeliveryOutcome.Broken(
            "The service does not know the access key ID. Check that it is complete and active, or make a new one."),
        "SignatureDoesNotMatch" => new DeliveryOutcome.Broken(
            "The secret access key does not belong to the access key ID, or the region is wrong. Enter them again."),
        "AccessDenied" or "AllAccessDisabled" => Denied(bucket),
        "AccountProblem" or "NotSignedUp" or "UserSuspended" => new DeliveryOutcome.Broken(
            "The service has a problem with the account, such as an unpaid bill. Look at the account with the provider."),
        "ExpiredToken" or "InvalidToken" => new DeliveryOutcome.Broken("The access key has expired. Make a new one."),
        "PermanentRedirect" or "TemporaryRedirect" or "AuthorizationHeaderMalformed" or "IllegalLocationConstraintException"
            or "AuthorizationQueryParametersError" => new DeliveryOutcome.Broken(
                $"The bucket \"{bucket}\" is not in this region or not at this endpoint. Correct the region or the endpoint."),
        "QuotaExceeded" or "XMinioAdminBucketQuotaExceeded" or "XMinioStorageFull" => new DeliveryOutcome.Broken(
            $"The bucket \"{bucket}\" or its service is full. Make room there, then test the destination."),
        "InvalidStorageClass" => new DeliveryOutcome.Broken("The service does not know the storage class. Choose another."),
        "NotImplemented" => new DeliveryOutcome.Broken(
            "The service does not support what was asked for. Leave out storage class and server-side encryption."),
        "KMS.DisabledException" or "KMS.NotFoundException" or "KMS.InvalidStateException" or "KMS.KMSInvalidStateException" =>
            new DeliveryOutcome.Broken("The key for encryption (aws:kms) cannot be used. Enable it or choose AES256."),
        "EntityTooLarge" => new DeliveryOutcome.GiveUp("The service refuses images of this size."),
        "KeyTooLongError" => new DeliveryOutcome.GiveUp("The service refuses names of this length. Shorten the key template."),
        _ => Of(refusal.StatusCode, refusal, bucket, clock),
    };

    private static DeliveryOutcome Of(HttpStatusCode status, AmazonServiceException refusal, string bucket, TimeProvider clock) => status switch
    {
        HttpStatusCode.RequestEntityTooLarge => new DeliveryOutcome.GiveUp("The service refuses images of this size."),
        // A wrong clock is the server's own fault and passes.
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when refusal.ErrorCode != "RequestTimeTooSkewed" =>
            Denied(bucket),
        >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest => Redirect,
        _ => new DeliveryOutcome.TryAgain(
            string.Create(CultureInfo.InvariantCulture, $"The service answered {(int)status}{Word(refusal.ErrorCode)}."),
            RetryAfter(refusal, clock)),
    };

    private static DeliveryOutcome.Broken Denied(string bucket) => new(
        $"The access key may not write to the bucket \"{bucket}\". Allow it s3:PutObject and s3:GetObject there.");

    private static TimeSpan? RetryAfter(AmazonServiceException refusal, TimeProvider clock) =>
        refusal.InnerException is HttpErrorResponseException { Response: { } response }
            ? HttpOutcome.RetryAfter(response.GetHeaderValue("Retry-After"), clock)
            : null;

    // Error codes are words; anything else in that place is a stranger's text.
    private static string Word(string? code) =>
        code is { Length: > 0 and <= 64 } && code.All(c => char.IsAsciiLetterOrDigit(c) || c == '.') ? $" ({code})" : "";

    private static Exception Network(Exception exception)
    {
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            if (inner is HttpRequestException or OperationCanceledException)
                return inner;
        }

        return exception;
    }
}

/// <summary>A 2xx to a write after which the object is not there.</summary>
internal sealed class S3NotStoredException() : IOException("The service did not store the object.");
