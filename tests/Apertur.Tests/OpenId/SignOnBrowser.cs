using System.Net;
using System.Net.Http.Json;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.OpenId;

/// <summary>A person's browser on the way to the provider and back, one step at a time.</summary>
internal sealed class SignOnBrowser(AperturApp app, string? server = null)
{
    private static readonly (string, string) _ownPage = ("X-Apertur-Dashboard", "1");

    private readonly string _server = server ?? app.Url;

    /// <summary>What it keeps for the server.</summary>
    public Dictionary<string, string> Cookies { get; init; } = [];

    /// <summary>Presses the button.</summary>
    public async Task<Answer> BeginAsync(string query = "") => await AskAsync(HttpMethod.Get, "/dashboard/openid" + query);

    /// <summary>Presses the button and is sent back by the provider.</summary>
    /// <returns>The address that the provider leads back to.</returns>
    public async Task<string> GoAsync(string query = "", Func<string, string>? changed = null)
    {
        var there = Location((await BeginAsync(query)).Expect(HttpStatusCode.Redirect));
        return Location((await ProviderAsync(changed is null ? there : changed(there))).Expect(HttpStatusCode.Redirect));
    }

    /// <summary>Follows the way back.</summary>
    /// <returns>Where it leads to in the end.</returns>
    public async Task<string> ReturnAsync(string address) =>
        Location((await AskAsync(HttpMethod.Get, new Uri(address).PathAndQuery)).Expect(HttpStatusCode.Redirect));

    /// <summary>All of it.</summary>
    public async Task<string> SignInAsync(string query = "") => await ReturnAsync(await GoAsync(query));

    /// <summary>What the dashboard's script asks first.</summary>
    public Task<Answer> SessionAsync() => AskAsync(HttpMethod.Put, "/dashboard/session");

    public Task<Answer> SignInByPasswordAsync(object login) => AskAsync(HttpMethod.Post, "/dashboard/session", JsonContent.Create(login));

    public Task<Answer> SignOutAsync() => AskAsync(HttpMethod.Delete, "/dashboard/session");

    /// <summary>Who is signed in, as the server sees it.</summary>
    public async Task<SignedIn> PersonAsync()
    {
        var session = (await SessionAsync()).Expect(HttpStatusCode.OK).Json;
        var token = session["token"]!.GetValue<string>();
        return new(app.ClientOf(token), token, "", session["user"]!["id"]!.GetValue<Guid>());
    }

    private static string Location(Answer answer) => answer.Headers.GetValues("Location").Single();

    private async Task<Answer> AskAsync(HttpMethod method, string path, HttpContent? body = null)
    {
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var client = new AperturClient(http, _server, app.ProjectId, key: null);
        var cookies = string.Join("; ", Cookies.Select(cookie => $"{cookie.Key}={cookie.Value}"));
        var answer = await client.SendAsync(method, path, body, cookies.Length > 0 ? [_ownPage, ("Cookie", cookies)] : [_ownPage]);
        foreach (var set in answer.Headers.TryGetValues("Set-Cookie", out var values) ? values : [])
        {
            var (name, value) = set.Split(';')[0].Split('=', 2) is [var n, var v] ? (n, v) : (set, "");
            if (value.Length == 0)
                Cookies.Remove(name);
            else
                Cookies[name] = value;
        }

        return answer;
    }

    private async Task<Answer> ProviderAsync(string address)
    {
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var there = new Uri(address);
        return await new AperturClient(http, there.GetLeftPart(UriPartial.Authority), app.ProjectId, key: null).GetAsync(there.PathAndQuery);
    }
}
