using Apertur.Server.Contract;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>What whoever holds a session's link may ask of it.</summary>
internal static class SessionLinkApi
{
    /// <summary>What the holder of the link may know: of a protected session hardly anything before its password.</summary>
    public static async Task<Ok<SessionInfo>> Info(
        string id, HttpRequest request, SessionGate gate, Database database, ServerKeyPair keyPair, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        var verified = await gate.IsVerifiedAsync(session, request, cancellationToken);
        return TypedResults.Ok(await DescribeAsync(session, verified, database, keyPair, clock, cancellationToken));
    }

    /// <summary>Tells whether a password is right, so that a page can ask again before anything is sent.</summary>
    public static async Task<Ok<VerifyPasswordResponse>> VerifyPassword(
        string id, Body<VerifyPasswordRequest> body, SessionGate gate, SessionPasswords passwords,
        CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        var valid = await passwords.IsRightAsync(session, body.Value.Password, cancellationToken);
        return TypedResults.Ok(new VerifyPasswordResponse(valid));
    }

    /// <summary>
    /// The sender is done. Whether that closes the session, so that it takes no more photos, or ends only the part of the visitor who is named,
    /// is the session's <c>done</c>; <c>status</c> tells.
    /// </summary>
    public static async Task<Ok<SessionInfo>> Complete(
        string id, HttpRequest request, SessionGate gate, Visitors visitors, Database database, ServerKeyPair keyPair, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, request, cancellationToken);
        session = await visitors.CompleteAsync(session.Id, Visitors.Of(request), cancellationToken);
        return TypedResults.Ok(await DescribeAsync(session, verified: true, database, keyPair, clock, cancellationToken));
    }

    /// <summary>Takes back a photo that the visitor has sent: it disappears from lists and counts, and is delivered no further.</summary>
    public static async Task<NoContent> Withdraw(
        string id, string imageId, HttpRequest request, SessionGate gate, Visitors visitors, CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, request, cancellationToken);
        await visitors.WithdrawAsync(session, Visitors.Of(request), Ids.Parse(imageId), cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>
    /// Changes the caption of a photo that the visitor has sent, until their Done. Lists, polls and whatever is sent from now on tell it;
    /// destinations that have the photo already are not told, so <c>project.upload.captioned</c> is raised.
    /// </summary>
    public static async Task<Ok<ImageUpdateResponse>> UpdateImage(
        string id, string imageId, Body<ImageUpdateRequest> body, HttpRequest request, SessionGate gate, Visitors visitors,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, request, cancellationToken);
        var upload = await visitors.CaptionAsync(
            session.Id, Visitors.Of(request), Ids.Parse(imageId), UploadFields.CheckCaption(body.Value.Caption), cancellationToken);
        return TypedResults.Ok(new ImageUpdateResponse(upload.Id, upload.Fields.Caption));
    }

    /// <summary>Session info. Unverified, what is withheld is there but empty: strict clients want every field.</summary>
    public static async Task<SessionInfo> DescribeAsync(
        UploadSession session, bool verified, Database database, ServerKeyPair keyPair, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var project = await db.Projects.Where(p => p.Id == session.ProjectId).Select(p => new { p.Name, p.E2ePublicKey })
            .SingleAsync(cancellationToken);
        var encryption = SessionEncryption.Of(session, verified ? project.E2ePublicKey : null);
        return new SessionInfo
        {
            Id = session.Id,
            Status = session.Status(clock.GetUtcNow()),
            ExpiresAt = session.ExpiresAt,
            Tags = verified ? session.Tags : null,
            ImagesPerSession = verified ? session.MaxImages : 0,
            EffectiveMaxImages = verified ? session.MaxImages : 0,
            EffectiveAllowedMimeTypes = verified ? SessionLimits.AllowedTypes(session) : [],
            EffectiveMaxImageDimension = verified ? session.MaxImageDimension : null,
            EffectiveMaxImageSizeMb = verified ? session.MaxImageSizeMb : 0,
            PasswordProtected = session.PasswordHash is not null,
            ServerPublicKey = keyPair.PublicKey,
            E2eEnabled = encryption.Enabled,
            E2ePublicKey = encryption.PublicKey,
            E2eDowngraded = encryption.Downgraded,
            ImagesCount = verified ? session.ImagesCount : 0,
            ProjectName = project.Name,
            Label = verified ? session.Label : null,
            Done = verified ? session.Done?.WireName() : null,
            AllowWithdraw = verified && session.AllowWithdraw,
            AllowCaptions = verified && session.AllowCaptions,
            Instructions = verified ? session.Instructions : null,
            ThankYou = verified ? session.ThankYou : null,
            ReturnUrl = verified ? session.ReturnUrl : null,
            CameraOnly = verified && session.CameraOnly,
            Ask = verified ? session.Ask : [],
            Strip = verified ? session.Strip.WireName() : null,
        };
    }
}
