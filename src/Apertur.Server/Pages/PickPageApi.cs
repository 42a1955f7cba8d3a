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

    public static IResult Return(HttpRequest request) => PickPage.Return(PageLook.Of(request));
}
