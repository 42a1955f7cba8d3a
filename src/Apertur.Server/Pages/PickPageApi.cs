using Apertur.Server.Fetching;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;

namespace Apertur.Server.Pages;

/// <summary>The window in which photos of a provider are picked, beside the upload page that opened it.</summary>
internal static class PickPageApi
{
    /// <summary>The redirect address to register at providers where people sign in.</summary>
    public const string ReturnPath = "/pick/return";

    private const int MaxCodeLength = 1024;

    public static async Task<IResult> Open(
        string id, string source, HttpRequest request, SessionGate gate, PhotoFetch fetch, CloudSources clouds, AperturDb db, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var look = PageLook.Of(request);
        if (await UploadPageApi.FindAsync(id, gate, cancellationToken) is not { } session)
            return UploadPage.Result(new UploadPageModel { Status = UploadPageStatus.NotFound, Look = look });
        var model = await UploadPageApi.DescribeAsync(session, gate, fetch, clouds, db, clock, look, [], cancellationToken);
        if (model.Status != UploadPageStatus.Open)
            return UploadPage.Result(model);
        return model.Clouds.FirstOrDefault(cloud => cloud.Name == source) is { } offered
            ? PickPage.Result(model, offered)
            : throw ApiErrors.SourceNotOffered($"Photos are not picked at '{source}' here.").ToException();
    }

    /// <summary>
    /// For a code with which somebody comes back from a provider, the access token that the picker there needs. Whoever has a code of this server's
    /// has signed in for it, so the link is all that is asked of them.
    /// </summary>
    public static async Task<IResult> Token(
        string id, string source, HttpContext http, SessionGate gate, PhotoFetch fetch, CloudSources clouds, PickerTokens tokens, FetchPlaces places,
        AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        var model = await UploadPageApi.DescribeAsync(session, gate, fetch, clouds, db, clock, PageLook.Of(http.Request), [], cancellationToken);
        var cloud = model.Status == UploadPageStatus.Open ? model.Clouds.FirstOrDefault(each => each.Name == source && each.TokenAddress is not null) : null;
        if (cloud is null)
            throw ApiErrors.SourceNotOffered($"Photos are not picked at '{source}' here.").ToException();
        var form = http.Request.HasFormContentType ? await http.Request.ReadFormAsync(cancellationToken) : FormCollection.Empty;
        if (form["code"].ToString() is not { Length: > 0 and <= MaxCodeLength } code)
            throw ApiErrors.Validation("code", "code must be the one that the provider gave.").ToException();
        using var place = places.Take(session, AddressRanges.Subject(http.Connection.RemoteIpAddress));
        var token = await tokens.ExchangeAsync(cloud, code, cancellationToken);
        http.Response.Headers.CacheControl = "no-store";
        return Results.Text(token);
    }

    public static IResult Return(HttpRequest request) => PickPage.Return(PageLook.Of(request));
}
