using System.Globalization;
using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Apertur.Destinations;
using Apertur.Server.Storage;

namespace Apertur.Server.Blobs;

/// <summary>The object store failed. The message is for anybody to read: no address, no name, and nothing that the service said.</summary>
internal sealed class ObjectStoreException(StorageFaultKind kind, string message, Exception? innerException = null)
    : IOException(message, innerException)
{
    public StorageFaultKind Kind => kind;

    /// <summary>What a failed call means; null for a mistake of ours.</summary>
    public static Exception? Of(Exception exception) => exception switch
    {
        AmazonS3Exception { ErrorCode: "NoSuchKey" } => new FileNotFoundException("There is no such object.", exception),
        AmazonServiceException { StatusCode: not 0 } refusal => new ObjectStoreException(KindOf(refusal), MessageOf(refusal), refusal),
        _ when IsAddressRefused(exception) => new ObjectStoreException(
            StorageFaultKind.Unavailable,
            "The object store is in a private network, and Storage:S3:AllowPrivateNetworks is not set.", exception),
        _ when S3Clients.IsFailure(exception) =>
            new ObjectStoreException(StorageFaultKind.Unavailable, "The object store does not answer, or its answer broke off.", exception),
        _ => null,
    };

    private static StorageFaultKind KindOf(AmazonServiceException refusal) =>
        refusal.ErrorCode is "QuotaExceeded" or "XMinioAdminBucketQuotaExceeded" or "XMinioStorageFull"
        // Nothing that is sent is larger than a part: a service that finds it too large has a quota in mind, as Swift has.
        || refusal.StatusCode is HttpStatusCode.InsufficientStorage or HttpStatusCode.RequestEntityTooLarge || refusal.ErrorCode == "EntityTooLarge"
            ? StorageFaultKind.NoRoom
            : StorageFaultKind.Unavailable;

    private static string MessageOf(AmazonServiceException refusal) => refusal.ErrorCode switch
    {
        _ when KindOf(refusal) == StorageFaultKind.NoRoom => "There is no room left in the object store.",
        "NoSuchBucket" => "The object store has no bucket of the name in Storage:S3:Bucket.",
        "InvalidAccessKeyId" or "SignatureDoesNotMatch" or "AccessDenied" or "ExpiredToken" or "InvalidToken" or "Forbidden" =>
            "The object store refuses the credentials in Storage:S3, or what they may do is not enough.",
        "PermanentRedirect" or "TemporaryRedirect" or "AuthorizationHeaderMalformed" or "IllegalLocationConstraintException" =>
            "The bucket is in another region or at another endpoint than Storage:S3 says.",
        _ => string.Create(CultureInfo.InvariantCulture, $"The object store answered {(int)refusal.StatusCode}."),
    };

    private static bool IsAddressRefused(Exception? exception)
    {
        while (exception is not (null or AddressRefusedException))
            exception = exception.InnerException;
        return exception is not null;
    }
}
