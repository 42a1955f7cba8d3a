using System.Security.Claims;
using System.Security.Cryptography;
using Apertur.Destinations;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Apertur.Tests.Support;

/// <summary>An OpenID provider: OpenIddict on a loopback port, at which one person is signed in already.</summary>
internal sealed class IdentityProvider : IAsyncDisposable
{
    public const string ClientId = "apertur";
    public const string ClientSecret = "the client's secret";

    private static readonly SymmetricSecurityKey _encryption = new(RandomNumberGenerator.GetBytes(32));
    private static readonly Lazy<RsaSecurityKey> _signing = new(() => new RsaSecurityKey(RSA.Create(2048)));

    private readonly SqliteConnection _rows = new("Data Source=:memory:");
    private WebApplication _server = null!;

    public string Url { get; private set; } = "";

    /// <summary>Its own name for who is signed in there.</summary>
    public string Subject { get; set; } = "subject-1";

    public string? Email { get; set; } = "anna@example.com";

    public bool EmailVerified { get; set; } = true;

    /// <summary>Whether tokens tell the address, or only what is asked for after them.</summary>
    public bool EmailInToken { get; set; } = true;

    /// <summary>Whether the person says no.</summary>
    public bool Denies { get; set; }

    public static async Task<IdentityProvider> StartAsync(TimeProvider clock)
    {
        var provider = new IdentityProvider();
        await provider._rows.OpenAsync(TestContext.Current.CancellationToken);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddDbContext<DbContext>(options => options.UseSqlite(provider._rows).UseOpenIddict());
        builder.Services.AddAuthentication();
        builder.Services.AddOpenIddict()
            .AddCore(core => core.UseEntityFrameworkCore().UseDbContext<DbContext>())
            .AddServer(server => server
                .SetAuthorizationEndpointUris("authorize").SetTokenEndpointUris("token").SetUserInfoEndpointUris("userinfo")
                .AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange().RegisterScopes(Scopes.Email)
                .AddEncryptionKey(_encryption).AddSigningKey(_signing.Value)
                .Configure(options => options.TimeProvider = clock)
                .UseAspNetCore().EnableAuthorizationEndpointPassthrough().EnableUserInfoEndpointPassthrough().DisableTransportSecurityRequirement());
        provider._server = builder.Build();
        provider._server.UseAuthentication();
        provider._server.MapGet("/authorize", provider.Authorize);
        provider._server.MapGet("/userinfo", (Delegate)UserInfoAsync);
        await using (var scope = provider._server.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<DbContext>().Database.EnsureCreatedAsync(TestContext.Current.CancellationToken);
        await provider._server.StartAsync(TestContext.Current.CancellationToken);
        provider.Url = provider._server.Urls.Single();
        // Once before anybody is in a hurry: the first answer takes long on a busy machine.
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        using var first = new HttpRequestMessage(HttpMethod.Get, provider.Url + "/.well-known/openid-configuration");
        (await http.SendAsync(first, TestContext.Current.CancellationToken)).Dispose();
        return provider;
    }

    /// <summary>What a server needs to be told to send people here.</summary>
    public Dictionary<string, string?> Settings => new()
    {
        ["OpenId:Authority"] = Url,
        ["OpenId:ClientId"] = ClientId,
        ["OpenId:ClientSecret"] = ClientSecret,
        ["OpenId:Name"] = "Example ID",
        ["OpenId:AllowPrivateNetworks"] = "true",
    };

    /// <summary>Takes a server in as a client.</summary>
    public async Task RegisterAsync(params string[] redirectAddresses)
    {
        var client = new OpenIddictApplicationDescriptor
        {
            ClientId = ClientId,
            ClientSecret = ClientSecret,
            Permissions =
            {
                Permissions.Endpoints.Authorization, Permissions.Endpoints.Token, Permissions.GrantTypes.AuthorizationCode,
                Permissions.ResponseTypes.Code, Permissions.Scopes.Email,
            },
        };
        client.RedirectUris.UnionWith(redirectAddresses.Select(address => new Uri(address)));
        await using var scope = _server.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>().CreateAsync(client, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _rows.DisposeAsync();
    }

    private IResult Authorize(HttpContext http)
    {
        string[] scheme = [OpenIddictServerAspNetCoreDefaults.AuthenticationScheme];
        if (Denies)
            return Results.Forbid(properties: null, scheme);
        var person = new ClaimsIdentity("test", Claims.Name, Claims.Role);
        person.SetClaim(Claims.Subject, Subject).SetClaim(Claims.Email, Email).SetClaim(Claims.EmailVerified, EmailVerified);
        person.SetScopes(http.GetOpenIddictServerRequest()!.GetScopes());
        string[] places = [OpenIddictConstants.Destinations.AccessToken, OpenIddictConstants.Destinations.IdentityToken];
        person.SetDestinations(_ => EmailInToken ? places : places[..1]);
        return Results.SignIn(new ClaimsPrincipal(person), properties: null, scheme[0]);
    }

    // The provider's own answer says of every address that it is not verified.
    private static async Task<IResult> UserInfoAsync(HttpContext http)
    {
        var token = (await http.AuthenticateAsync(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme)).Principal!;
        return Results.Json(new Dictionary<string, object?>
        {
            [Claims.Subject] = token.GetClaim(Claims.Subject),
            [Claims.Email] = token.GetClaim(Claims.Email),
            [Claims.EmailVerified] = bool.Parse(token.GetClaim(Claims.EmailVerified)!),
        });
    }
}
