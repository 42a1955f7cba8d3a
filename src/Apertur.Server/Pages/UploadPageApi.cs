using Apertur.Server.Encryption;
using Apertur.Server.Fetching;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Pages;

/// <summary>The page behind an upload link: opening it, and sending its form from a browser without scripts.</summary>
internal static class UploadPageApi
{
    public static async Task<IResult> Open(
        string id, HttpRequest request, SessionGate gate, PhotoFetch fetch, CloudSources clouds, AperturDb db, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var look = PageLook.Of(request);
        if (await FindAsync(id, gate, cancellationToken) is not { } session)
            return UploadPage.Result(new UploadPageModel { Status = UploadPageStatus.NotFound, Look = look });

        await gate.NoteOpenedAsync(session, cancellationToken);
        return UploadPage.Result(await DescribeAsync(session, gate, fetch, clouds, db, clock, look, [], cancellationToken));
    }

    /// <summary>Takes every photo of the form; one that is refused does not keep the others out.</summary>
    public static async Task<IResult> Send(
        string id, HttpContext http, SessionGate gate, SessionPasswords passwords, ImageIntake intake, UploadLimits limits, PhotoFetch fetch,
        CloudSources clouds, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var look = PageLook.Of(http.Request);
        if (await FindAsync(id, gate, cancellationToken) is not { } session)
            return UploadPage.Result(new UploadPageModel { Status = UploadPageStatus.NotFound, Look = look });

        var form = new SentForm(session);
        int? wait = null;
        var refused = gate.Refusal(session);
        if (refused is null && (await SealingAsync(session, db, cancellationToken)).PageKey is null)
        {
            try
            {
                var most = Math.Min(MultipartReader.MaxParts, session.MaxImages - session.ImagesCount);
                using var deadline = limits.Begin(http, session, most);
                await ReceiveAllAsync(http.Request, session, passwords, intake, form, deadline.Token);
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

        if (refused is not null || form.Wrong.Count > 0)
            await BodyDrain.RunAsync(http, clock, BodyDrain.MaxTime);
        var model = await DescribeAsync(session, gate, fetch, clouds, db, clock, look, form.Results, cancellationToken);
        return UploadPage.Result(model with
        {
            PasswordWrong = form.IsLocked,
            PasswordGiven = form.IsVerified,
            PasswordWait = wait,
            Refused = refused,
            Typed = form.Typed,
            Wrong = form.Wrong,
        });
    }

    /// <summary>Password and answers stand before the photos; when one is wrong or missing, nothing is taken.</summary>
    private static async Task ReceiveAllAsync(
        HttpRequest request, UploadSession session, SessionPasswords passwords, ImageIntake intake, SentForm form, CancellationToken cancellationToken)
    {
        using var reader = new MultipartReader(request.BodyReader, request.ContentType);
        while (await reader.NextAsync(cancellationToken) is { } part)
        {
            if (part.Name == "password" && !form.IsVerified)
            {
                var given = await reader.ReadTextAsync(cancellationToken);
                form.IsVerified = await passwords.IsRightAsync(session, given, cancellationToken);
            }

            if (form.Sent.Find(part.Name) is { OnPage: null } field)
                form.Take(field, await reader.ReadTextAsync(cancellationToken));
            if (part.Name != "file")
                continue;
            if (!form.MayTakePhotos())
                return;
            // A form that was sent without choosing a photo has an empty part without a name.
            if (string.IsNullOrEmpty(part.Filename) && await reader.IsEmptyAsync(cancellationToken))
                continue;

            try
            {
                await using var image = await intake.StageAsync(reader.ReadAsync, part.Filename, session, cancellationToken);
                var upload = await intake.ReceiveAsync(image, session, UploadFields.Of(form.Sent), idempotency: null, cancellationToken);
                form.Results.Add(new UploadPageResult(upload.Filename));
            }
            catch (ApiErrorException exception)
            {
                form.Results.Add(new UploadPageResult(part.Filename ?? "", exception.Error.Code, exception.Error.Message));
            }
            catch (Exception exception) when (form.Results.Count > 0 && StorageFault.Of(exception) != StorageFaultKind.None)
            {
                // What was received before is told all the same, or people would send it again; the rest of the form would fare no better.
                form.Results.Add(new UploadPageResult(part.Filename ?? "", ApiErrors.Unavailable.Code, ApiErrors.Unavailable.Message));
                return;
            }
        }

        form.MayTakePhotos();
    }

    public static async Task<UploadSession?> FindAsync(string id, SessionGate gate, CancellationToken cancellationToken)
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

    public static async Task<UploadPageModel> DescribeAsync(
        UploadSession session, SessionGate gate, PhotoFetch fetch, CloudSources clouds, AperturDb db, TimeProvider clock, PageLook look,
        IReadOnlyList<UploadPageResult> results, CancellationToken cancellationToken)
    {
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == session.ProjectId, cancellationToken);
        var sealing = SessionEncryption.Of(session, project.E2ePublicKey);
        var mayFetch = !session.CameraOnly && sealing.PageKey is null;
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
            ProjectName = project.BrandName ?? project.Name,
            Logo = Logos.Path(project.BrandLogo),
            Accent = project.BrandAccent,
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
            ReturnUrl = session.ReturnUrl ?? project.BrandReturnUrl,
            CameraOnly = session.CameraOnly,
            TakesAddresses = fetch.TakesAddresses && mayFetch,
            TakesHttp = fetch.TakesHttp,
            Clouds = mayFetch ? clouds.Offered : [],
            AllowCaptions = session.AllowCaptions,
            Ask = session.Ask,
            Strip = session.Strip,
            Now = clock.GetUtcNow(),
            SealingKey = sealing.PageKey,
            SealingDowngraded = sealing.Downgraded,
            Results = results,
        };
    }

    /// <summary>What has come of a form so far.</summary>
    private sealed class SentForm(UploadSession session)
    {
        public bool IsVerified { get; set; } = session.PasswordHash is null;

        /// <summary>Photos, or the end of the form, came before the right password.</summary>
        public bool IsLocked { get; private set; }

        public SentFields Sent { get; } = SentFields.OfPage(session);

        public Dictionary<string, string> Typed { get; } = [];

        public Dictionary<string, string> Wrong { get; } = [];

        public List<UploadPageResult> Results { get; } = [];

        public void Take(UploadField field, string text)
        {
            Typed[field.Name] = text;
            try
            {
                Sent.Take(field, text);
            }
            catch (ApiErrorException exception)
            {
                Wrong[field.Name] = exception.Error.Message;
            }
        }

        public bool MayTakePhotos()
        {
            IsLocked = !IsVerified;
            foreach (var name in IsVerified ? Sent.Missing : [])
                Wrong.TryAdd(name, "");
            return IsVerified && Wrong.Count == 0;
        }
    }
}
