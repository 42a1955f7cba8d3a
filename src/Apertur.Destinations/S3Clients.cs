using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace Apertur.Destinations;

/// <summary>Clients of Amazon S3 and its kind, with the settings that every one of them takes.</summary>
public static class S3Clients
{
    /// <param name="endpoint">The service's address; null for Amazon's own of the region.</param>
    /// <param name="region">What requests are signed for.</param>
    /// <param name="forcePathStyle">Whether the bucket's name is in the path instead of the host.</param>
    /// <param name="credentials">Who asks.</param>
    /// <param name="http">The guarded way out.</param>
    /// <param name="retries">How often the client tries again by itself.</param>
    public static AmazonS3Client Create(
        string? endpoint, string region, bool forcePathStyle, AWSCredentials credentials, HttpClientFactory http, int retries)
    {
        var settings = new AmazonS3Config
        {
            AuthenticationRegion = region,
            ForcePathStyle = forcePathStyle,
            HttpClientFactory = http,
            AllowAutoRedirect = false,
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = retries,
            // Counted apart from the former, ten by default, and taken for writes whose reply was lost as well.
            MaxStaleConnectionRetries = 0,
            // The newer trailing checksums come in aws-chunked bodies, which Swift, Google and others refuse. The signature
            // covers the body's SHA-256 all the same.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            // Nothing of the machine's own AWS settings may bend where images go.
            IgnoreConfiguredEndpointUrls = true,
        };
        if (endpoint is null)
            settings.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        else
            settings.ServiceURL = endpoint;
        return new AmazonS3Client(credentials, settings);
    }

    /// <summary>What a call may throw when it is not a mistake of ours.</summary>
    public static bool IsFailure(Exception exception) => S3Outcome.IsFailure(exception);
}

/// <summary>One guarded HTTP client for all: connections are kept by host, credentials are signed into each request.</summary>
/// <param name="http">The guarded way out.</param>
/// <param name="fetches">Whether objects are read, too; see <see cref="OutboundHttp.CreateClient"/>.</param>
public sealed class GuardedClients(OutboundHttp http, bool fetches = false) : HttpClientFactory
{
    private readonly HttpClient _client = http.CreateClient(fetches);

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
}
