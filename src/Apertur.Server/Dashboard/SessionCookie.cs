using Apertur.Server.Accounts;

namespace Apertur.Server.Dashboard;

/// <summary>
/// Where a browser keeps a person's sign-in: a refresh token that no script can read, and that the browser sends to one address and with
/// nothing that another site has asked for.
/// </summary>
internal static class SessionCookie
{
    public const string Path = "/dashboard/session";

    private const string Name = "apertur_session";

    public static string? Read(HttpRequest request) => request.Cookies[Name];

    public static void Write(HttpContext http, string refreshToken) =>
        http.Response.Cookies.Append(Name, refreshToken, Options(http, SignIns.IdleTime));

    public static void Clear(HttpContext http) => http.Response.Cookies.Append(Name, "", Options(http, TimeSpan.Zero));

    /// <summary>As this one is kept: for what else only the dashboard's own calls are to bring along.</summary>
    public static CookieOptions Options(HttpContext http, TimeSpan lifetime) => new()
    {
        Path = Path,
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        // A proxy in front speaks HTTPS for us; browsers take secure cookies on loopback too.
        Secure = http.RequestServices.GetRequiredService<PublicAddress>().BaseOf(http.Request).StartsWith("https:", StringComparison.Ordinal),
        MaxAge = lifetime,
        IsEssential = true,
    };
}
