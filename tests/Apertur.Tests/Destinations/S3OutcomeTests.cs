using System.Net;
using System.Xml;
using Amazon.Runtime;
using Amazon.S3;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>What each refusal of an S3-compatible service means for a delivery.</summary>
public sealed class S3OutcomeTests
{
    // With a status that alone would have it tried again.
    [Theory]
    [InlineData("NoSuchBucket", "There is no bucket \"photos\"")]
    [InlineData("InvalidBucketName", "as a bucket's name")]
    [InlineData("InvalidAccessKeyId", "does not know the access key ID")]
    [InlineData("SignatureDoesNotMatch", "does not belong to the access key ID")]
    [InlineData("AccessDenied", "may not write to the bucket \"photos\"")]
    [InlineData("AllAccessDisabled", "may not write to the bucket \"photos\"")]
    [InlineData("AccountProblem", "problem with the account")]
    [InlineData("NotSignedUp", "problem with the account")]
    [InlineData("UserSuspended", "problem with the account")]
    [InlineData("ExpiredToken", "has expired")]
    [InlineData("InvalidToken", "has expired")]
    [InlineData("PermanentRedirect", "not in this region")]
    [InlineData("TemporaryRedirect", "not in this region")]
    [InlineData("AuthorizationHeaderMalformed", "not in this region")]
    [InlineData("IllegalLocationConstraintException", "not in this region")]
    [InlineData("AuthorizationQueryParametersError", "not in this region")]
    [InlineData("QuotaExceeded", "is full")]
    [InlineData("XMinioAdminBucketQuotaExceeded", "is full")]
    [InlineData("XMinioStorageFull", "is full")]
    [InlineData("InvalidStorageClass", "does not know the storage class")]
    [InlineData("NotImplemented", "does not support what was asked for")]
    [InlineData("KMS.DisabledException", "aws:kms")]
    [InlineData("KMS.NotFoundException", "aws:kms")]
    [InlineData("KMS.InvalidStateException", "aws:kms")]
    [InlineData("KMS.KMSInvalidStateException", "aws:kms")]
    public void What_only_the_owner_can_change_breaks_the_destination(string code, string words)
    {
        var broken = Assert.IsType<DeliveryOutcome.Broken>(Of(HttpStatusCode.BadRequest, code));
        Assert.Contains(words, broken.Reason, StringComparison.Ordinal);
        Assert.Equal(400, broken.Status);
    }

    [Theory]
    [InlineData(400, "EntityTooLarge", typeof(DeliveryOutcome.GiveUp))]
    [InlineData(400, "KeyTooLongError", typeof(DeliveryOutcome.GiveUp))]
    [InlineData(413, null, typeof(DeliveryOutcome.GiveUp))]
    [InlineData(200, "InternalError", typeof(DeliveryOutcome.TryAgain))]
    [InlineData(302, null, typeof(DeliveryOutcome.Broken))]
    [InlineData(401, null, typeof(DeliveryOutcome.Broken))]
    [InlineData(403, "Unheard", typeof(DeliveryOutcome.Broken))]
    [InlineData(403, "RequestTimeTooSkewed", typeof(DeliveryOutcome.TryAgain))]
    [InlineData(404, null, typeof(DeliveryOutcome.TryAgain))]
    public void Statuses_count_where_no_code_does(int status, string? code, Type expected) =>
        Assert.IsType(expected, Of((HttpStatusCode)status, code));

    [Theory]
    [InlineData("SlowDown", "The service answered 503 (SlowDown).")]
    [InlineData("Slow.Down1", "The service answered 503 (Slow.Down1).")]
    [InlineData("my secret", "The service answered 503.")]
    [InlineData("", "The service answered 503.")]
    [InlineData(null, "The service answered 503.")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "The service answered 503.")]
    public void Only_words_of_a_service_are_repeated(string? code, string reason) =>
        Assert.Equal(reason, Of(HttpStatusCode.ServiceUnavailable, code).ReasonText);

    [Theory]
    [InlineData("30", 30)]
    [InlineData(null, null)]
    public async Task Service_that_asks_to_wait_is_left_alone_for_so_long(string? header, int? seconds)
    {
        await using var service = await Receiver.StartAsync();
        service.Otherwise = context =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = header;
            return Task.CompletedTask;
        };
        using var s3 = new AmazonS3Client("id", "secret", new AmazonS3Config { ServiceURL = service.Url, ForcePathStyle = true, MaxErrorRetry = 0 });
        var refusal = await Assert.ThrowsAsync<AmazonS3Exception>(() => s3.DeleteObjectAsync("photos", "a", TestContext.Current.CancellationToken));

        Assert.Equal(
            seconds is null ? null : TimeSpan.FromSeconds(seconds.Value), Assert.IsType<DeliveryOutcome.TryAgain>(Of(refusal)).After);
    }

    [Fact]
    public void Answers_that_are_no_refusals_have_their_outcome_too()
    {
        Assert.Contains("not there", Reason(new S3NotStoredException()), StringComparison.Ordinal);
        Assert.Contains("breaks off", Reason(new XmlException()), StringComparison.Ordinal);
        Assert.Equal("The destination's host name could not be resolved.",
            Reason(new AmazonS3Exception("internals", new IOException("outer", new HttpRequestException(HttpRequestError.NameResolutionError)))));
        Assert.Equal("No connection to the destination: it timed out.",
            Reason(new AmazonS3Exception("internals", new IOException("outer", new OperationCanceledException()))));
        Assert.IsType<DeliveryOutcome.Broken>(Of(new ArgumentException("internals") { Source = "AWSSDK.S3" }));

        static string Reason(Exception exception) => Assert.IsType<DeliveryOutcome.TryAgain>(Of(exception)).Reason;
    }

    [Fact]
    public void What_a_service_or_the_way_to_it_does_is_a_failure_and_a_mistake_of_ours_is_not()
    {
        Exception[] theirs =
        [
            new AmazonS3Exception(""), new AmazonClientException(""), new HttpRequestException(), new OperationCanceledException(), new TimeoutException(),
            new XmlException(), new IOException(), new ArgumentException("") { Source = "AWSSDK.S3" },
        ];
        Assert.All(theirs, each => Assert.True(S3Outcome.IsFailure(each), each.GetType().Name));
        Exception[] ours = [new FileNotFoundException(), new ArgumentException(""), new InvalidOperationException()];
        Assert.All(ours, each => Assert.False(S3Outcome.IsFailure(each), each.GetType().Name));
    }

    private static DeliveryOutcome Of(HttpStatusCode status, string? code) =>
        Of(new AmazonS3Exception("internals") { StatusCode = status, ErrorCode = code });

    private static DeliveryOutcome Of(Exception exception) => S3Outcome.Of(exception, "photos", TimeProvider.System);
}
