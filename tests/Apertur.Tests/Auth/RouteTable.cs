using Apertur.Server.Auth;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Auth;

/// <summary>One method of one address, as the running server has it.</summary>
internal sealed record Route(string Method, string Pattern, AccessRule? Rule)
{
    public bool Changes => Method is not "GET" and not "HEAD";

    public override string ToString() => $"{Method} {Pattern}";
}

internal static class RouteTable
{
    public static IReadOnlyList<Route> Of(AperturApp app) =>
        [.. from endpoint in app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST", "PUT", "PATCH", "DELETE"]
            let pattern = "/" + endpoint.RoutePattern.RawText!.Trim('/')
            orderby pattern, method
            select new Route(method, pattern, endpoint.Metadata.GetMetadata<AccessRule>())];
}
