using System.Collections.Specialized;
using System.Web;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Destinations;

public sealed class OAuthFlowTests : IAsyncLifetime
{
    private static readonly Uri _callback = new("https://photos.example/oauth/callback/google_drive");

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private FakeGoogle _google = null!;
    private FakeDropbox _dropbox = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _google = await FakeGoogle.StartAsync();
        _dropbox = await FakeDropbox.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _google.DisposeAsync();
        await _dropbox.DisposeAsync();
        _http.Dispose();
    }

    [Theory]
    [InlineData("google_drive")]
    [InlineData("dropbox")]
    public async Task A_person_connects_and_the_connection_renews_itself(string type)
    {
        var flow = Flow(type);
        var verifier = OAuthFlow.NewVerifier();
        var back = await AgreeAsync(flow.AuthorizeAddress(_callback, "state with & in it", verifier));
        Assert.Equal("state with & in it", back["state"]);

        var answer = await flow.ExchangeAsync(back["code"]!, _callback, verifier, Cancellation);
        var granted = Assert.IsType<OAuthAnswer.Granted>(answer);
        Assert.Equal(TimeSpan.FromHours(1), granted.ExpiresIn);
        Assert.NotNull(granted.RefreshToken);
        Assert.DoesNotContain("planted", granted.ToString(), StringComparison.Ordinal);

        var refreshed = Assert.IsType<OAuthAnswer.Granted>(await flow.RefreshAsync(granted.RefreshToken, Cancellation));
        Assert.NotEqual(granted.AccessToken, refreshed.AccessToken);
        Assert.Null(refreshed.RefreshToken);
    }

    [Fact]
    public void The_verifier_stays_here()
    {
        var verifier = OAuthFlow.NewVerifier();
        Assert.Matches("^[A-Za-z0-9_-]{43}$", verifier);
        Assert.NotEqual(verifier, OAuthFlow.NewVerifier());
        var address = Flow("google_drive").AuthorizeAddress(_callback, "s", verifier).AbsoluteUri;
        Assert.DoesNotContain(verifier, address, StringComparison.Ordinal);
        Assert.DoesNotContain(FakeOAuth.ClientSecret, address, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_verifier_does_not_redeem_the_code()
    {
        var flow = Flow("dropbox");
        var back = await AgreeAsync(flow.AuthorizeAddress(_callback, "s", OAuthFlow.NewVerifier()));
        var answer = await flow.ExchangeAsync(back["code"]!, _callback, OAuthFlow.NewVerifier(), Cancellation);
        Assert.IsType<OAuthAnswer.Revoked>(answer);
    }

    [Fact]
    public async Task A_code_works_once()
    {
        var flow = Flow("google_drive");
        var verifier = OAuthFlow.NewVerifier();
        var back = await AgreeAsync(flow.AuthorizeAddress(_callback, "s", verifier));
        Assert.IsType<OAuthAnswer.Granted>(await flow.ExchangeAsync(back["code"]!, _callback, verifier, Cancellation));
        Assert.IsType<OAuthAnswer.Revoked>(await flow.ExchangeAsync(back["code"]!, _callback, verifier, Cancellation));
    }

    [Theory]
    [InlineData("google_drive")]
    [InlineData("dropbox")]
    public async Task A_withdrawn_connection_is_told_from_a_passing_fault(string type)
    {
        FakeCloud service = type == "dropbox" ? _dropbox : _google;
        var oauth = type == "dropbox" ? _dropbox.OAuth : _google.OAuth;
        var refreshToken = oauth.IssueRefreshToken();
        var flow = Flow(type);

        service.Refuse("token", 503, retryAfterSeconds: 3);
        var later = Assert.IsType<OAuthAnswer.TryAgain>(await flow.RefreshAsync(refreshToken, Cancellation));
        Assert.Equal(TimeSpan.FromSeconds(3), later.After);
        service.LoseAnswer("token");
        Assert.IsType<OAuthAnswer.TryAgain>(await flow.RefreshAsync(refreshToken, Cancellation));

        oauth.Expire();
        Assert.IsType<OAuthAnswer.Granted>(await flow.RefreshAsync(refreshToken, Cancellation));
        oauth.Revoke();
        var revoked = Assert.IsType<OAuthAnswer.Revoked>(await flow.RefreshAsync(refreshToken, Cancellation));
        Assert.DoesNotContain("planted", revoked.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("google_drive")]
    [InlineData("dropbox")]
    public async Task A_wrong_client_is_the_operators_matter_and_no_withdrawal(string type)
    {
        var defaults = new DestinationSettings();
        var google = GoogleDriveDestinationTests.Client(defaults.GoogleDrive, _google.Root, "o/oauth2/v2/auth", "token");
        var dropbox = GoogleDriveDestinationTests.Client(defaults.Dropbox, _dropbox.Root, "oauth2/authorize", "oauth2/token");
        var settings = new DestinationSettings
        {
            GoogleDrive = google with { ClientSecret = "planted-wrong" },
            Dropbox = dropbox with { ClientSecret = "planted-wrong" },
        };
        var (flow, oauth) = type == "dropbox"
            ? (new DropboxDestination(_http, settings, TimeProvider.System).OAuth!, _dropbox.OAuth)
            : (new GoogleDriveDestination(_http, settings, TimeProvider.System).OAuth!, _google.OAuth);
        var answer = await flow.RefreshAsync(oauth.IssueRefreshToken(), Cancellation);
        Assert.IsType<OAuthAnswer.Misconfigured>(answer);
        Assert.DoesNotContain("planted", answer.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("planted", settings.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400, "invalid_client: Invalid client_id or client_secret", "client id and secret")]
    [InlineData(400, "unauthorized_client", "client id and secret")]
    [InlineData(400, "redirect_uri_mismatch", "callback address")]
    [InlineData(400, "invalid_request", "refused the request")]
    [InlineData(400, "invalid_scope", "refused the request")]
    [InlineData(400, "unsupported_grant_type", "refused the request")]
    [InlineData(401, "anything", "client id and secret")]
    [InlineData(500, "anything", null)]
    public async Task What_only_the_operator_can_change_is_told_from_the_rest(int status, string error, string? words)
    {
        _google.Refuse("POST /token", status, $$"""{"error":"{{error}}"}""");
        var answer = await Flow("google_drive").RefreshAsync("any", Cancellation);
        Assert.Equal(words is null, answer is OAuthAnswer.TryAgain);
        Assert.Contains(words ?? "500", (answer as OAuthAnswer.Misconfigured)?.Reason ?? ((OAuthAnswer.TryAgain)answer).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_whose_life_is_not_told_lasts_five_minutes()
    {
        _google.Refuse("POST /token", 200, """{"access_token":"any"}""");
        Assert.Equal(
            TimeSpan.FromMinutes(5), Assert.IsType<OAuthAnswer.Granted>(await Flow("google_drive").RefreshAsync("any", Cancellation)).ExpiresIn);
    }

    private OAuthFlow Flow(string type) => type == "dropbox"
        ? DropboxDestinationTests.Dropbox(_http, _dropbox).OAuth!
        : GoogleDriveDestinationTests.Drive(_http, _google).OAuth!;

    /// <summary>Goes where a person's browser would, and returns what comes back to the callback.</summary>
    private async Task<NameValueCollection> AgreeAsync(Uri address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        using var response = await _http.SendAsync(request, Cancellation);
        Assert.Equal(302, (int)response.StatusCode);
        Assert.StartsWith(_callback.AbsoluteUri + "?", response.Headers.Location!.AbsoluteUri, StringComparison.Ordinal);
        return HttpUtility.ParseQueryString(response.Headers.Location.Query);
    }
}
