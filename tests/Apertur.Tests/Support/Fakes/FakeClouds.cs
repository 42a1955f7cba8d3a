using System.Net;
using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Support.Fakes;

/// <summary>Stand-ins for Google and Dropbox, and a server that takes them for the real ones.</summary>
internal sealed class FakeClouds : IAsyncDisposable
{
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);

    private FakeClouds(FakeGoogle google, FakeDropbox dropbox) => (Google, Dropbox) = (google, dropbox);

    public FakeGoogle Google { get; }

    public FakeDropbox Dropbox { get; }

    /// <summary>For <see cref="AperturApp.StartAsync"/>.</summary>
    public Dictionary<string, string?> Settings => new()
    {
        ["Outbound:CloudStorageUrl"] = Google.Root.AbsoluteUri,
        ["OAuth:GoogleDrive:ClientId"] = FakeOAuth.ClientId,
        ["OAuth:GoogleDrive:ClientSecret"] = FakeOAuth.ClientSecret,
        ["OAuth:GoogleDrive:AuthorizeUrl"] = new Uri(Google.Root, "o/oauth2/v2/auth").AbsoluteUri,
        ["OAuth:GoogleDrive:TokenUrl"] = new Uri(Google.Root, "token").AbsoluteUri,
        ["OAuth:GoogleDrive:ApiUrl"] = Google.Root.AbsoluteUri,
        ["OAuth:Dropbox:ClientId"] = FakeOAuth.ClientId,
        ["OAuth:Dropbox:ClientSecret"] = FakeOAuth.ClientSecret,
        ["OAuth:Dropbox:AuthorizeUrl"] = new Uri(Dropbox.Root, "oauth2/authorize").AbsoluteUri,
        ["OAuth:Dropbox:TokenUrl"] = new Uri(Dropbox.Root, "oauth2/token").AbsoluteUri,
        ["OAuth:Dropbox:ApiUrl"] = Dropbox.Root.AbsoluteUri,
        ["OAuth:Dropbox:ContentUrl"] = Dropbox.Root.AbsoluteUri,
    };

    public static async Task<FakeClouds> StartAsync() => new(await FakeGoogle.StartAsync(), await FakeDropbox.StartAsync());

    /// <summary>Asks for the connection, and lets the person allow it at the provider.</summary>
    /// <returns>The path that the provider sends the person back to.</returns>
    public async Task<string> AllowAsync(AperturApp app, string destination)
    {
        var answer = (await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{destination}/authorize")).Expect(HttpStatusCode.OK);
        return await AllowAsync(app, answer);
    }

    /// <inheritdoc cref="AllowAsync(AperturApp, string)"/>
    public async Task<string> AllowAsync(AperturApp app, Answer authorize)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, (string)authorize.Json["url"]!);
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Redirect, response.StatusCode);
        Assert.StartsWith(app.Url, response.Headers.Location!.AbsoluteUri, StringComparison.Ordinal);
        return response.Headers.Location.PathAndQuery;
    }

    /// <summary>Connects a destination as its owner does.</summary>
    public async Task ConnectAsync(AperturApp app, string destination) =>
        (await app.ClientOf(null).GetAsync(await AllowAsync(app, destination))).Expect(HttpStatusCode.OK);

    /// <returns>The id of a new destination that is connected.</returns>
    public async Task<string> ConnectedAsync(AperturApp app, string type)
    {
        var destination = await app.Client.CreateDestinationAsync(type, new JsonObject());
        await ConnectAsync(app, destination);
        return destination;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Google.DisposeAsync();
        await Dropbox.DisposeAsync();
    }
}
