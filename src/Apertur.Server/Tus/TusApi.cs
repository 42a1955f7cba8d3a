using System.Globalization;
using Apertur.Server.Contract;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Apertur.Server.Tus;

/// <summary>Photos in pieces that survive a broken line: tus 1.0 (https://tus.io), for any client that speaks it.</summary>
internal static class TusApi
{
    /// <summary>Says what of tus there is. A password is not asked for.</summary>
    public static async Task<NoContent> Options(string id, HttpResponse response, SessionGate gate, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        response.Headers[TusHeaders.Resumable] = TusHeaders.Version;
        response.Headers["Tus-Version"] = TusHeaders.Version;
        response.Headers["Tus-Extension"] = TusHeaders.Extensions;
        response.Headers["Tus-Checksum-Algorithm"] = UploadChecksum.Algorithms;
        response.Headers["Tus-Max-Size"] = session.PasswordHash is null ? Number(MostBytes(session, EncryptionMode.None)) : default;
        return TypedResults.NoContent();
    }

    /// <summary>
    /// Begins a photo that comes in pieces; <c>Location</c> says where to. A body of type <c>application/offset+octet-stream</c> is its first
    /// piece. With an <c>Idempotency-Key</c> that was used before, it goes on with what was begun then; the same key counts for photos that come
    /// in one request. When the photo is complete its description is the body.
    /// </summary>
    public static async Task<Created<UploadResponse>> Create(
        string id, HttpContext http, SessionGate gate, ImageIntake intake, PartialUploads uploads, UploadLimits limits,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        RequireVersion(http);
        var idempotency = Idempotency.Of(http.Request, UploadApi.ScopeOf(session));
        await intake.RequireOpenAsync(session, idempotency, cancellationToken);
        var mode = EncryptionModes.Of(http.Request);
        var metadata = http.Request.Headers[TusHeaders.Metadata].ToString();
        // Before its bytes; what it is received with later is what was said now.
        UploadMetadata.Parse(metadata, session).Sent.RequireAnswers();

        var upload = await uploads.CreateAsync(
            session, idempotency?.Key, LengthOf(http.Request, session, mode), metadata, mode, cancellationToken);
        upload = await uploads.SettleAsync(upload, cancellationToken);
        if (http.Request.ContentType == TusHeaders.BodyType && upload.Offset == 0)
            upload = await AppendAsync(http, upload, session, 0, uploads, limits);
        upload = await uploads.FinishAsync(upload, session, cancellationToken);
        Describe(http.Response, upload);
        return TypedResults.Created($"{http.Request.PathBase}/api/v1/upload/{session.Id}/tus/{upload.Id}", PartialUploads.AnswerOf(upload));
    }

    /// <summary>
    /// What was answered when the photo was received; 404 before that. With HEAD: how much of it is here and stays, as <c>Upload-Offset</c>. Asking
    /// ends another request that is still sending it.
    /// </summary>
    public static async Task<Results<Ok<UploadResponse>, EmptyHttpResult>> Get(
        string id, string upload, HttpContext http, SessionGate gate, ImageIntake intake, PartialUploads uploads,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        var asksForOffset = HttpMethods.IsHead(http.Request.Method);
        if (asksForOffset)
            RequireVersion(http);
        http.Response.Headers.CacheControl = "no-store";
        var found = await uploads.FindAsync(session, upload, cancellationToken);
        if (found.Answer is null)
            await intake.RequireOpenAsync(session, uploads.KeyOf(found, session), cancellationToken);
        found = await uploads.SettleAsync(found, cancellationToken);
        found = await uploads.FinishAsync(found, session, cancellationToken);
        if (!asksForOffset)
            return TypedResults.Ok(PartialUploads.AnswerOf(found) ?? throw ApiErrors.NotFound.ToException());

        Describe(http.Response, found);
        http.Response.Headers[TusHeaders.Length] = Number(found.Length);
        if (found.Metadata.Length > 0)
            http.Response.Headers[TusHeaders.Metadata] = found.Metadata;
        return TypedResults.Empty;
    }

    /// <summary>
    /// Adds a piece of the photo, beginning at <c>Upload-Offset</c>. What has come of it stays also when the request breaks off, unless it
    /// carried an <c>Upload-Checksum</c>. The answer to the last piece promises what the 201 of a photo in one request does.
    /// </summary>
    public static async Task<NoContent> Append(
        string id, string upload, HttpContext http, SessionGate gate, ImageIntake intake, PartialUploads uploads, UploadLimits limits,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        RequireVersion(http);
        if (http.Request.ContentType != TusHeaders.BodyType)
            throw ApiErrors.UnsupportedBody(TusHeaders.BodyType).ToException();
        var offset = NumberOf(http.Request, TusHeaders.Offset);
        var found = await uploads.FindAsync(session, upload, cancellationToken);
        if (found.Answer is null)
            await intake.RequireOpenAsync(session, uploads.KeyOf(found, session), cancellationToken);
        found = await uploads.SettleAsync(found, cancellationToken);
        found = await AppendAsync(http, found, session, offset, uploads, limits);
        found = await uploads.FinishAsync(found, session, cancellationToken);
        Describe(http.Response, found);
        return TypedResults.NoContent();
    }

    /// <summary>Gives up a photo that comes in pieces; what has come of it is removed. A photo that was received stays.</summary>
    public static async Task<NoContent> Delete(
        string id, string upload, HttpContext http, SessionGate gate, PartialUploads uploads, CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        RequireVersion(http);
        await uploads.RemoveAsync(await uploads.FindAsync(session, upload, cancellationToken), cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>The other methods for clients that cannot send them: the one that <c>X-HTTP-Method-Override</c> names.</summary>
    public static async Task<NoContent> Override(
        string id, string upload, HttpContext http, SessionGate gate, ImageIntake intake, PartialUploads uploads, UploadLimits limits,
        CancellationToken cancellationToken)
    {
        switch (http.Request.Headers["X-HTTP-Method-Override"].ToString())
        {
            case "PATCH":
                return await Append(id, upload, http, gate, intake, uploads, limits, cancellationToken);
            case "DELETE":
                return await Delete(id, upload, http, gate, uploads, cancellationToken);
            default:
                await gate.EnterAsync(id, http.Request, cancellationToken);
                throw ApiErrors.MethodNotAllowed.ToException();
        }
    }

    private static async Task<PartialUpload> AppendAsync(
        HttpContext http, PartialUpload upload, UploadSession session, long offset, PartialUploads uploads, UploadLimits limits)
    {
        using var deadline = limits.Begin(http, session, encrypted: upload.Encryption != EncryptionMode.None);
        using var checksum = UploadChecksum.Of(http.Request);
        using var body = new BodyBytes(http.Request.BodyReader);
        return await uploads.AppendAsync(upload, session, offset, body.ReadAsync, checksum, deadline.Token);
    }

    /// <summary>Every answer says which version it is in, refusals too.</summary>
    private static void RequireVersion(HttpContext http)
    {
        http.Response.OnStarting(() =>
        {
            http.Response.Headers[TusHeaders.Resumable] = TusHeaders.Version;
            if (http.Response.StatusCode == StatusCodes.Status412PreconditionFailed)
                http.Response.Headers["Tus-Version"] = TusHeaders.Version;
            return Task.CompletedTask;
        });
        if (http.Request.Headers[TusHeaders.Resumable] != TusHeaders.Version)
            throw ApiErrors.TusVersion.ToException();
    }

    private static void Describe(HttpResponse response, PartialUpload upload)
    {
        response.Headers[TusHeaders.Offset] = Number(upload.Offset);
        response.Headers[TusHeaders.Expires] = upload.ExpiresAt.ToString("R", CultureInfo.InvariantCulture);
    }

    private static long LengthOf(HttpRequest request, UploadSession session, EncryptionMode mode)
    {
        if (request.Headers.ContainsKey("Upload-Defer-Length"))
            throw ApiErrors.Validation("Upload-Defer-Length", "Say the length at first, as Upload-Length.").ToException();
        var length = NumberOf(request, TusHeaders.Length);
        if (length == 0)
            throw ApiErrors.Validation("file", "The photo is empty.").ToException();
        return length <= MostBytes(session, mode) ? length : throw ApiErrors.ImageTooLarge(session.MaxImageSizeMb).ToException();
    }

    private static long MostBytes(UploadSession session, EncryptionMode mode)
    {
        var image = session.MaxImageSizeMb * 1024L * 1024;
        return mode == EncryptionMode.None ? image : EnvelopeIntake.MaxBytes(image);
    }

    private static long NumberOf(HttpRequest request, string header) =>
        long.TryParse(request.Headers[header], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw ApiErrors.Validation(header, $"{header} must be a number of bytes.").ToException();

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
