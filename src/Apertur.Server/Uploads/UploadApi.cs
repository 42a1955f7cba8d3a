using Apertur.Destinations;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Renditions;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Thumbnails;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>Images in, and their bytes out again.</summary>
internal static class UploadApi
{
    /// <summary>
    /// Takes one photo, as multipart/form-data with the parts <c>file</c> and, before or after it, <c>source</c> and what the session asks for. With the header
    /// <c>X-Aptr-Encrypted</c> the file, or the whole body, is an encrypted envelope. Digests that come with it, as <c>Content-Digest</c>,
    /// <c>Repr-Digest</c>, <c>Content-MD5</c> or the part <c>sha256</c>, are checked.
    /// </summary>
    public static async Task<Created<UploadResponse>> Create(
        string id, HttpContext http, SessionGate gate, ImageIntake intake, EnvelopeIntake envelopes, UploadLimits limits,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        var idempotency = Idempotency.Of(http.Request, ScopeOf(session));
        await intake.RequireOpenAsync(session, idempotency, cancellationToken);

        var mode = EncryptionModes.Of(http.Request);
        using var deadline = limits.Begin(http, session, encrypted: mode != EncryptionMode.None);
        using var digests = new UploadDigests(http.Request);
        using var body = new BodyBytes(digests.Body);
        var isEnvelope = mode != EncryptionMode.None && !MultipartReader.Reads(http.Request.ContentType);
        using var reader = isEnvelope ? null : new MultipartReader(digests.Body, http.Request.ContentType);

        StagedImage? image = null;
        var sent = new SentFields(session);
        try
        {
            if (isEnvelope)
                image = await envelopes.StageAsync(digests.File(body.ReadAsync, null, true), null, sent, session, mode, deadline.Token);
            while (reader is not null && await reader.NextAsync(deadline.Token) is { } part)
            {
                if (sent.Find(part.Name) is { } field)
                    sent.Take(field, await reader.ReadTextAsync(deadline.Token));
                else if (part.Name == UploadDigests.Sha256Field)
                    digests.Expect(await reader.ReadTextAsync(deadline.Token));
                else if (part.Name != "file" || await IsLeftEmptyAsync(part, reader, deadline.Token))
                    continue;
                else if (image is not null)
                    throw ApiErrors.Validation("file", "Send one photo at a time: there is more than one 'file' part.").ToException();
                else if (mode == EncryptionMode.None)
                    image = await intake.StageAsync(digests.File(reader.ReadAsync, part, false), part.Filename, session, deadline.Token);
                else
                    image = await envelopes.StageAsync(
                        digests.File(reader.ReadAsync, part, true), part.Filename ?? "", sent, session, mode, deadline.Token);
            }

            if (image is null)
                throw ApiErrors.Validation("file", "The photo is missing: send it as the part 'file'.").ToException();

            sent.RequireAnswers();
            body.Dispose();
            reader?.Dispose();
            await digests.RequireAsync(image, deadline.Token);
            var received = await intake.ReceiveAsync(image, session, UploadFields.Of(sent), idempotency, deadline.Token);
            return TypedResults.Created($"/api/v1/uploads/{received.Id}/download", received);
        }
        finally
        {
            if (image is not null)
                await image.DisposeAsync();
        }
    }

    /// <summary>Whose idempotency keys those of photos are.</summary>
    public static string ScopeOf(UploadSession session) => $"upload {session.Id}";

    /// <summary>How browsers send a file field in which nothing was chosen.</summary>
    private static async ValueTask<bool> IsLeftEmptyAsync(MultipartPart part, MultipartReader reader, CancellationToken cancellationToken) =>
        string.IsNullOrEmpty(part.Filename) && await reader.IsEmptyAsync(cancellationToken);

    /// <summary>The bytes of an image, for whoever may see it.</summary>
    public static async Task<IResult> Download(string id, Caller caller, AperturDb db, RenditionStore renditions, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        return new ImageBytes(upload, renditions);
    }

    /// <summary>
    /// Several images as one zip archive, as they are stored and in the order they are named. Those whose bytes retention has removed are left
    /// out: the header <c>Apertur-Left-Out</c> says how many, and <c>left-out.txt</c> in the archive which.
    /// </summary>
    public static async Task<IResult> Archive(
        Body<ArchiveRequest> body, Caller caller, AperturDb db, RenditionStore renditions, CancellationToken cancellationToken) =>
        new UploadArchive(await ChosenAsync(body.Value.UploadIds, caller.See(db.Uploads), cancellationToken), renditions);

    /// <summary>
    /// A ticket for the same archive, which a browser downloads by itself with it. It is posted to <c>/api/v1/downloads/archive</c> as the field
    /// <c>ticket</c> of a form: no address has it, and nobody's token is sent.
    /// </summary>
    public static async Task<Ok<ArchiveTicketResponse>> ArchiveTicket(
        Body<ArchiveRequest> body, Caller caller, AperturDb db, DownloadLinks links, CancellationToken cancellationToken)
    {
        var chosen = await ChosenAsync(body.Value.UploadIds, caller.See(db.Uploads), cancellationToken);
        return TypedResults.Ok(new ArchiveTicketResponse(
            links.CreateTicket(chosen.ConvertAll(upload => upload.Id)), chosen.Count(upload => upload.RemovedAt is not null)));
    }

    /// <summary>Several images as one zip archive, for whoever holds a ticket.</summary>
    public static async Task<IResult> SignedArchive(
        HttpRequest request, DownloadLinks links, AperturDb db, RenditionStore renditions, CancellationToken cancellationToken)
    {
        var form = request.HasFormContentType ? await request.ReadFormAsync(cancellationToken) : FormCollection.Empty;
        var ids = links.OpenTicket(form["ticket"].ToString()) ?? throw ApiErrors.NotFound.ToException();
        return new UploadArchive(await ChosenAsync(ids, Downloadable(db), cancellationToken), renditions);
    }

    /// <summary>The images of an archive, in the order they are named.</summary>
    private static async Task<List<Upload>> ChosenAsync(IReadOnlyList<Guid>? uploadIds, IQueryable<Upload> seen, CancellationToken cancellationToken)
    {
        var ids = uploadIds?.Distinct().ToList() ?? [];
        if (ids.Count is 0 or > UploadArchive.MostImages)
            throw ApiErrors.Validation("uploadIds", $"uploadIds takes 1 to {UploadArchive.MostImages} ids.").ToException();
        var found = await seen.AsNoTracking().Where(upload => ids.Contains(upload.Id))
            .ToDictionaryAsync(upload => upload.Id, cancellationToken);
        if (found.Count < ids.Count)
            throw ApiErrors.NotFound.ToException();
        if (found.Values.All(upload => upload.RemovedAt is not null))
            throw ApiErrors.ImageRemoved.ToException();
        if (found.Values.Where(upload => upload.RemovedAt is null).Sum(upload => upload.SizeBytes) > UploadArchive.MostBytes)
            throw ApiErrors.Validation("uploadIds", "These photos have more than 2 GB together. Choose fewer.").ToException();
        return ids.ConvertAll(id => found[id]);
    }

    /// <summary>A small JPEG of an image, at most 256 pixels on its longer side.</summary>
    public static async Task<IResult> Thumbnail(
        string id, HttpContext http, Caller caller, AperturDb db, ThumbnailStore thumbnails, CancellationToken cancellationToken)
    {
        return await ThumbnailOfAsync(await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken), http, thumbnails, cancellationToken);
    }

    /// <summary>The answer with an image's thumbnail, to somebody who may see it.</summary>
    /// <exception cref="ApiErrorException">404: it has none.</exception>
    public static async Task<IResult> ThumbnailOfAsync(Upload upload, HttpContext http, ThumbnailStore thumbnails, CancellationToken cancellationToken)
    {
        if (await thumbnails.OpenAsync(upload, cancellationToken) is not { } jpeg)
            throw ApiErrors.NoThumbnail.ToException();
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.CacheControl = "private, max-age=3600";
        return TypedResults.Stream(jpeg, "image/jpeg");
    }

    /// <summary>The bytes of an image, for whoever holds a signed link.</summary>
    public static async Task<IResult> SignedDownload(
        string id, HttpRequest request, DownloadLinks links, AperturDb db, RenditionStore renditions, CancellationToken cancellationToken)
    {
        var uploadId = Ids.Parse(id);
        var rendition = (string?)request.Query["rendition"];
        if (!links.Allows(uploadId, request.Query["expires"], request.Query["signature"], rendition))
            throw ApiErrors.NotFound.ToException();
        var upload = await Downloadable(db).AsNoTracking().SingleOrDefaultAsync(u => u.Id == uploadId, cancellationToken);
        var kind = rendition is null ? null : Rendition.Parse(rendition);
        // What another version of this program named is not the original.
        if (upload is null || (rendition is not null && kind is null))
            throw ApiErrors.NotFound.ToException();
        return new ImageBytes(upload, renditions, kind);
    }

    /// <summary>What is given to whoever holds a link that the server has signed.</summary>
    private static IQueryable<Upload> Downloadable(AperturDb db) =>
        db.Uploads.Where(u => db.Projects.Any(p => p.Id == u.ProjectId && p.DeletedAt == null && p.DisabledAt == null));

    /// <summary>Withdraws an image: it disappears from lists and counts, and is delivered no further.</summary>
    public static async Task<NoContent> Delete(
        string id, Caller caller, AperturDb db, UploadDeletion deletion, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        return await deletion.RunAsync(upload, cancellationToken) ? TypedResults.NoContent() : throw ApiErrors.NotFound.ToException();
    }
}
