using System.Text.Json;
using Apertur.Server.Contract;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Fetching;

/// <summary>Uploads by address: the server fetches the photo in place of being sent its bytes.</summary>
internal static class FetchApi
{
    /// <summary>
    /// Takes one photo by its address: the server fetches it, and from there on it is an upload as any other, with the limits of the session and
    /// the promise of the 201. Fields of the form may stand beside <c>url</c>.
    /// </summary>
    public static async Task<Created<UploadResponse>> Create(
        string id, Body<FetchRequest> body, HttpContext http, SessionGate gate, ImageIntake intake, PhotoFetch fetch, FetchPlaces places,
        UploadLimits limits, DerivedKeys keys, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        var idempotency = Idempotency.Of(http.Request, UploadApi.ScopeOf(session));
        var address = fetch.Read(body.Value.Url);
        if (idempotency is not null)
        {
            // What is fetched a second time need not be the same; what was asked for is.
            idempotency = idempotency with { Fingerprint = Idempotency.FingerprintOf(address.AbsoluteUri, WireJson.Wire.String, keys) };
            if (await idempotency.FindAsync(db, clock.GetUtcNow(), cancellationToken) is { } before)
                return Answer(before.Repeat(idempotency.Fingerprint, WireJson.Wire.UploadResponse));
        }

        await intake.RequireOpenAsync(session, idempotency, cancellationToken);
        var sent = Read(body, session);
        var sha256 = body.Value.Sha256 is { } text ? UploadDigests.ReadSha256(text) : null;
        var from = fetch.Find(sent["source"]!, address, body.Value.AccessToken);
        var projectKey = await db.Projects.Where(p => p.Id == session.ProjectId).Select(p => p.E2ePublicKey).SingleAsync(cancellationToken);
        if (SessionEncryption.Of(session, projectKey).PageKey is not null)
        {
            throw ApiErrors.SourceNotOffered(
                "Photos of this upload session are encrypted before the server gets them, so it cannot fetch any. Send them encrypted.").ToException();
        }

        using var place = places.Take(session, AddressRanges.Subject(http.Connection.RemoteIpAddress));
        using var deadline = limits.Deadline(http);
        using var photo = await fetch.OpenAsync(from, session, deadline.Token);
        await using var image = await intake.StageAsync(photo.ReadAsync, body.Value.Filename ?? photo.Filename, session, deadline.Token);
        if (sha256 is not null && sha256 != image.SentSha256)
            throw ApiErrors.DigestMismatch.ToException();
        return Answer(await intake.ReceiveAsync(image, session, UploadFields.Of(sent), idempotency, deadline.Token));
    }

    private static Created<UploadResponse> Answer(UploadResponse received) =>
        TypedResults.Created($"/api/v1/uploads/{received.Id}/download", received);

    /// <summary>The fields of the upload, which the request itself does not know.</summary>
    /// <exception cref="ApiErrorException">400: one cannot be taken, or one that the session asks for is missing.</exception>
    private static SentFields Read(Body<FetchRequest> body, UploadSession session)
    {
        var sent = new SentFields(session);
        sent.Take(sent.Find("source")!, "url");
        foreach (var field in sent.Fields)
        {
            if (!body.Unknown.TryGetPropertyValue(field.Name, out var value) || value is null)
                continue;
            sent.Take(field, value.GetValueKind() == JsonValueKind.String
                ? (string?)value : throw ApiErrors.Validation(field.Name, $"{field.Name} must be a text.").ToException());
        }

        sent.RequireAnswers();
        return sent;
    }
}
