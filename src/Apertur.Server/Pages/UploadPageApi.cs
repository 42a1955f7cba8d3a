using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Pages;

/// <summary>The page behind an upload link: opening it, and sending its form from a browser without scripts.</summary>
internal static class UploadPageApi
{
    public static async Task<IResult> Open(
        string id, HttpRequest request, SessionGate gate, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var look = PageLook.Of(request);
        if (await FindAsync(id, gate, cancellationToken) is not { } session)
            return UploadPage.Result(new UploadPageModel { Status = UploadPageStatus.NotFound, Look = look });

        await gate.NoteOpenedAsync(session, cancellationToken);
        return UploadPage.Result(await DescribeAsync(session, gate, db, clock, look, [], cancellationToken));
    }

    /// <summary>Takes every photo of the form; one that is refused does not keep the others out.</summary>
    public static async Task<IResult> Send(
        string id, HttpContext http, SessionGate gate, SessionPasswords passwords, ImageIntake intake, UploadLimits limits,
        AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var look = PageLook.Of(http.Request);
        if (await FindAsync(id, gate, cancellationToken) is not { } session)
            return UploadPage.Result(new UploadPageModel { Status = UploadPageStatus.NotFound, Look = look });

        var results = new List<UploadPageResult>();
        var wrong = false;
        int? wait = null;
        var refused = gate.Refusal(session);
        if (refused is null && (await SealingAsync(session, db, cancellationToken)).PageKey is null)
        {
            try
            {
                var most = Math.Min(MultipartReader.MaxParts, session.MaxImages - session.ImagesCount);
                using var deadline = limits.Begin(http, session, most);
                wrong = !await ReceiveAllAsync(http.Request, session, passwords, intake, results, deadline.Token);
            }
            catch (ApiErrorException exception) when (exception.Error.StatusCode == StatusCodes.Status429TooManyRequests)
            {
                wait = exception.Error.RetryAfter ?? 60;
            }
            catch (ApiErrorException exception) when (exception.Error.StatusCode == StatusCodes.Status413PayloadTooLarge)
            {
                refused = exception.Error;
            }

            session = await gate.FindAsync(id, cancellationToken);
        }

        if (refused is not null)
            await BodyDrain.RunAsync(http, clock, BodyDrain.MaxTime);
        var model = await DescribeAsync(session, gate, db, clock, look, results, cancellationToken);
        return UploadPage.Result(model with { PasswordWrong = wrong, PasswordWait = wait, Refused = refused });
    }

    /// <returns>False when the password, which stands before the photos, is wrong or missing: nothing was taken then.</returns>
    private static async Task<bool> ReceiveAllAsync(
        HttpRequest request, UploadSession session, SessionPasswords passwords, ImageIntake intake,
        List<UploadPageResult> results, CancellationToken cancellationToken)
    {
        var verified = session.PasswordHash is null;
        var sent = SentFields.OfPage();
        using var reader = new MultipartReader(request.BodyReader, request.ContentType);
        while (await reader.NextAsync(cancellationToken) is { } part)
        {
            if (part.Name == "password" && !verified)
            {
                var given = await reader.ReadTextAsync(cancellationToken);
                verified = await passwords.IsRightAsync(session, given, cancellationToken);
            }

            if (UploadFields.Find(part.Name) is { OnPage: null } field)
                sent.Take(field, await reader.ReadTextAsync(cancellationToken));

            // A form that was sent without choosing a photo has an empty part without a name.
            if (part.Name != "file" || (string.IsNullOrEmpty(part.Filename) && await reader.IsEmptyAsync(cancellationToken)))
                continue;
            if (!verified)
                return false;

            try
            {
                await using var image = await intake.StageAsync(reader.ReadAsync, part.Filename, session, cancellationToken);
                var upload = await intake.ReceiveAsync(image, session, UploadFields.Of(sent), idempotency: null, cancellationToken);
                results.Add(new UploadPageResult(upload.Filename));
            }
            catch (ApiErrorException exception)
            {
                results.Add(new UploadPageResult(part.Filename ?? "", exception.Error.Code, exception.Error.Message));
            }
            catch (Exception exception) when (results.Count > 0 && StorageFault.Of(exception) != StorageFaultKind.None)
            {
                // What was received before is told all the same, or people would send it again; the rest of the form would fare no better.
                results.Add(new UploadPageResult(part.Filename ?? "", ApiErrors.Unavailable.Code, ApiErrors.Unavailable.Message));
                return true;
            }
        }

        return verified;
    }

    private static async Task<UploadSession?> FindAsync(string id, SessionGate gate, CancellationToken cancellationToken)
    {
        try
        {
            return await gate.FindAsync(id, cancellationToken);
        }
        catch (ApiErrorException exception) when (exception.Error == ApiErrors.NotFound)
        {
            return null;
        }
    }

    private static async Task<SessionEncryption> SealingAsync(UploadSession session, AperturDb db, CancellationToken cancellationToken) =>
        SessionEncryption.Of(
            session, await db.Projects.Where(p => p.Id == session.ProjectId).Select(p => p.E2ePublicKey).SingleAsync(cancellationToken));

    private static async Task<UploadPageModel> DescribeAsync(
        UploadSession session, SessionGate gate, AperturDb db, TimeProvider clock, PageLook look, IReadOnlyList<UploadPageResult> results,
        CancellationToken cancellationToken)
    {
        var sealing = await SealingAsync(session, db, cancellationToken);
        return new()
        {
            SessionId = session.Id.ToString(),
            Status = gate.Refusal(session)?.Code switch
            {
                null => UploadPageStatus.Open,
                "SESSION_FULL" => UploadPageStatus.Full,
                "SESSION_EXPIRED" => UploadPageStatus.Expired,
                _ => UploadPageStatus.Completed,
            },
            Look = look,
            ProjectName = await db.Projects.Where(p => p.Id == session.ProjectId).Select(p => p.Name).SingleAsync(cancellationToken),
            Label = session.Label,
            AcceptedTypes = SessionLimits.AllowedTypes(session),
            MaxImages = session.MaxImages,
            ImagesCount = session.ImagesCount,
            MaxImageSizeMb = session.MaxImageSizeMb,
            MaxImageDimension = session.MaxImageDimension,
            ExpiresAt = session.ExpiresAt,
            PasswordNeeded = session.PasswordHash is not null,
            AllowWithdraw = session.AllowWithdraw,
            Instructions = session.Instructions,
            ThankYou = session.ThankYou,
            ReturnUrl = session.ReturnUrl,
            CameraOnly = session.CameraOnly,
            Now = clock.GetUtcNow(),
            SealingKey = sealing.PageKey,
            SealingDowngraded = sealing.Downgraded,
            Results = results,
        };
    }
}
