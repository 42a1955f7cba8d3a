using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Apertur.Destinations;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Apertur.Server.OpenId;

/// <summary>
/// The framework's OpenID Connect client, for the way to the provider and back: authorization code with PKCE, state and nonce. What it brings is
/// left to <see cref="OpenIdApi"/>; it signs nobody in, and no request is authenticated by it.
/// </summary>
/// <remarks>
/// Made here and not by the framework's authentication services: where those are registered a middleware looks at every request, and keys of
/// their own lie in the home folder of whoever runs this.
/// </remarks>
internal sealed class OpenIdClient(IOptionsMonitor<OpenIdConnectOptions> options, ILoggerFactory logs)
{
    private static readonly AuthenticationScheme _scheme = new("openid", displayName: null, typeof(OpenIdConnectHandler));

    // How long a person may take at the provider.
    private static readonly TimeSpan _lifetime = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan _answerTime = TimeSpan.FromSeconds(10);

    public static void Add(IServiceCollection services, Settings settings)
    {
        services.AddSingleton<OpenIdSignIn>();
        services.AddSingleton<PendingOpenIdLink>();
        if (!settings.OpenId.IsOn)
            return;

        services.AddSingleton<OpenIdClient>();
        services.AddSingleton<IPostConfigureOptions<OpenIdConnectOptions>>(provider =>
            new OpenIdConnectPostConfigureOptions(new OpenIdProtection(provider.GetRequiredService<ColumnEncryption>())));
        services.AddOptions<OpenIdConnectOptions>(_scheme.Name).Configure<TimeProvider>((options, clock) => Configure(options, settings, clock));
    }

    /// <summary>Sends the person to the provider.</summary>
    public async Task ChallengeAsync(HttpContext http, string returnTo) =>
        await (await HandlerAsync(http)).ChallengeAsync(new AuthenticationProperties { RedirectUri = returnTo });

    /// <summary>Checks what the provider sent the person back with, and asks it for the rest.</summary>
    public async Task<OpenIdAnswer> ReceiveAsync(HttpContext http)
    {
        await (await HandlerAsync(http)).HandleRequestAsync();
        return http.Features.Get<OpenIdAnswer>() ?? new OpenIdAnswer(null, null, null);
    }

    private async Task<OpenIdConnectHandler> HandlerAsync(HttpContext http)
    {
        var handler = new OpenIdConnectHandler(options, logs, HtmlEncoder.Default, UrlEncoder.Default);
        await handler.InitializeAsync(_scheme, http);
        return handler;
    }

    private static void Configure(OpenIdConnectOptions options, Settings settings, TimeProvider clock)
    {
        var openId = settings.OpenId;
        options.TimeProvider = clock;
        options.Authority = openId.Authority;
        options.ClientId = openId.ClientId;
        options.ClientSecret = openId.ClientSecret.Length > 0 ? openId.ClientSecret : null;
        options.Backchannel = new OutboundHttp(openId.AllowPrivateNetworks).CreateClient();
        options.Backchannel.Timeout = _answerTime;
        // Without it only on this machine, which the settings see to.
        options.RequireHttpsMetadata = !new Uri(openId.Authority).IsLoopback;

        // The answer comes as a link, so that the cookies of the way need not be sent with what other sites post.
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.ResponseMode = OpenIdConnectResponseMode.Query;
        options.CallbackPath = OpenIdApi.CallbackPath;
        options.RemoteAuthenticationTimeout = _lifetime;
        foreach (var cookie in new[] { options.CorrelationCookie, options.NonceCookie })
        {
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = settings.Server.PublicUrl.StartsWith("https:", StringComparison.OrdinalIgnoreCase)
                ? CookieSecurePolicy.Always : CookieSecurePolicy.SameAsRequest;
            // Beside the instant of their end, which a device whose clock is wrong would take for the past.
            cookie.MaxAge = _lifetime;
        }

        options.Scope.Clear();
        options.Scope.Add("openid");
        options.Scope.Add("email");
        options.MapInboundClaims = false;
        options.ClaimActions.Clear();
        // Many providers tell the address there only.
        options.GetClaimsFromUserInfoEndpoint = true;
        options.TokenValidationParameters.LifetimeValidator = (from, until, _, rules) =>
            (from is null || from - rules.ClockSkew <= clock.GetUtcNow().UtcDateTime) && until + rules.ClockSkew > clock.GetUtcNow().UtcDateTime;

        options.Events.OnRedirectToIdentityProvider = context =>
        {
            context.ProtocolMessage.RedirectUri =
                context.HttpContext.RequestServices.GetRequiredService<PublicAddress>().BaseOf(context.Request) + OpenIdApi.CallbackPath;
            return Task.CompletedTask;
        };
        options.Events.OnUserInformationReceived = context =>
        {
            TakeEmail((ClaimsIdentity)context.Principal!.Identity!, context.User.RootElement);
            return Task.CompletedTask;
        };
        options.Events.OnTicketReceived = context =>
        {
            context.HttpContext.Features.Set(new OpenIdAnswer(context.Principal, context.ReturnUri, null));
            context.HandleResponse();
            return Task.CompletedTask;
        };
        options.Events.OnRemoteFailure = context =>
        {
            context.HttpContext.Features.Set(new OpenIdAnswer(null, context.Properties?.RedirectUri, context.Failure));
            context.HandleResponse();
            return Task.CompletedTask;
        };
    }

    /// <summary>The address, and whether it is verified, from one and the same place: the token if that says both, else what was asked for after it.</summary>
    private static void TakeEmail(ClaimsIdentity person, JsonElement information)
    {
        if (person.HasClaim(claim => claim.Type == JwtRegisteredClaimNames.EmailVerified))
            return;
        foreach (var name in new[] { JwtRegisteredClaimNames.Email, JwtRegisteredClaimNames.EmailVerified })
        {
            foreach (var old in person.FindAll(name).ToList())
                person.RemoveClaim(old);
            if (information.TryGetProperty(name, out var value))
                person.AddClaim(new Claim(name, value.ToString()));
        }
    }
}

/// <summary>What the way to the provider and back has brought.</summary>
/// <param name="Person">The claims, verified; null when it failed.</param>
/// <param name="ReturnTo">Where the person wanted to go.</param>
/// <param name="Failure">What went wrong.</param>
internal sealed record OpenIdAnswer(ClaimsPrincipal? Person, string? ReturnTo, Exception? Failure);
