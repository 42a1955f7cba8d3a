using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Metadata;
using Apertur.Server.Projects;
using Apertur.Server.QrCodes;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>Upload sessions: made by a program, used by whoever gets the link.</summary>
internal static class SessionsApi
{
    private const int MaxTags = 50;
    private const int MaxTagLength = 200;
    private const int MaxLabelLength = 200;
    private const int MaxMetadataBytes = 8 * 1024;
    private const int MaxInstructionsLength = 2000;
    private const int MaxThankYouLength = 500;
    private const int MaxUrlLength = 2000;

    /// <summary>Makes an upload session, and gives the link and QR code to hand out.</summary>
    public static async Task<Created<CreateSessionResponse>> Create(
        Body<CreateSessionRequest> body, Caller caller, AperturDb read, Database database, Settings settings, PublicAddress address,
        DerivedKeys keys, WidgetTokens widgets, TimeProvider clock, HttpRequest http, CancellationToken cancellationToken)
    {
        var request = body.Value;
        var now = clock.GetUtcNow();
        var key = caller.Key;
        var idempotency = Idempotency.Of(http, $"session {caller.Id}");
        var fingerprint = idempotency is null ? "" : Idempotency.FingerprintOf(request, WireJson.Wire.CreateSessionRequest, keys);
        if (idempotency is not null && await idempotency.FindAsync(read, now, cancellationToken) is { } before)
            return Created(before.Repeat(fingerprint, WireJson.Wire.CreateSessionResponse), widgets);

        var errors = new List<FieldError>();
        var project = await ProjectOfAsync(request, caller, database, cancellationToken);
        var env = EnvOf(request, key, errors);
        var limits = SessionLimits.Of(request, key, project, settings.Limits, errors);
        var expiresAt = Expiry(request, settings.Limits, now, errors);
        CheckTexts(request, errors);
        var done = DoneOf(request, errors);
        CheckPage(request, errors);
        SessionPasswords.Check(request.Password, errors);
        var destinations = await ChooseDestinationsAsync(
            database, request.DestinationIds, project.Id, key?.DefaultDestinations ?? [], errors, cancellationToken);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        var longPolling = request.LongPolling ?? key?.LongPollingEnabled ?? false;
        var warnings = body.Warnings(NobodyReceives(destinations.Count, longPolling), MustBeReadable(limits.Strip, project));
        var session = new UploadSession
        {
            Id = Guid.NewGuid(),
            ProjectId = project.Id,
            KeyId = key?.Id,
            Env = env,
            Label = request.Label,
            Tags = request.Tags is null ? null : [.. request.Tags],
            Metadata = request.Metadata?.ToJsonString(),
            DestinationIds = [.. destinations.Select(destination => destination.Id)],
            DestinationsCount = destinations.Count,
            LongPolling = longPolling,
            MaxImages = limits.MaxImages,
            AllowedMimeTypes = limits.AllowedMimeTypes,
            MaxImageDimension = limits.MaxImageDimension,
            MaxImageSizeMb = limits.MaxImageSizeMb,
            PasswordHash = request.Password is null ? null : SessionPasswords.Hash(request.Password),
            Done = done,
            AllowWithdraw = request.AllowWithdraw ?? true,
            AllowCaptions = request.AllowCaptions ?? false,
            Instructions = NullIfEmpty(request.Instructions),
            ThankYou = NullIfEmpty(request.ThankYou),
            ReturnUrl = NullIfEmpty(request.ReturnUrl),
            CameraOnly = request.CameraOnly ?? false,
            Ask = [.. request.Ask ?? []],
            Strip = limits.Strip,
            CreatedAt = now,
            ExpiresAt = expiresAt,
            LastChanged = now,
        };
        var answer = Describe(session, destinations, address.BaseOf(http)) with { Warnings = warnings };
        var first = await database.WriteAsync(
            async db =>
            {
                var json = JsonSerializer.Serialize(answer, WireJson.Wire.CreateSessionResponse);
                if (idempotency is not null && await idempotency.ClaimAsync(db, fingerprint, json, now, cancellationToken) is { } taken)
                    return taken;

                db.Sessions.Add(session);
                await db.SaveChangesAsync(cancellationToken);
                db.Counts.For(session.ProjectId, session.Env, now).Sessions++;
                var events = new EventOutbox(now);
                events.SessionCreated(session);
                await events.WriteAsync(db, cancellationToken);
                return null;
            },
            cancellationToken);
        return Created(first?.Repeat(fingerprint, WireJson.Wire.CreateSessionResponse) ?? answer, widgets);
    }

    // The token is not in what an idempotency key keeps.
    private static Created<CreateSessionResponse> Created(CreateSessionResponse answer, WidgetTokens widgets) =>
        TypedResults.Created($"/api/v1/upload/{answer.Id}/session", answer with { WidgetToken = widgets.Of(answer.Id) });

    /// <summary>
    /// Changes limits, expiry and password. Like at creation, the tightest of request, key, project and server is what holds.
    /// </summary>
    public static async Task<Ok<SessionInfo>> Update(
        string id, Body<UpdateSessionRequest> body, Caller caller, SessionGate gate, Database database, Settings settings,
        ServerKeyPair keyPair, TimeProvider clock, CancellationToken cancellationToken)
    {
        var request = body.Value;
        var seen = await gate.FindAsync(id, caller, cancellationToken);
        await using var db = database.Open();
        var key = await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(k => k.Id == seen.KeyId, cancellationToken);
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == seen.ProjectId, cancellationToken);
        var errors = new List<FieldError>();
        var limits = SessionLimits.Of(request, key, project, settings.Limits, errors);
        if (request.ExpiresAt is { } expiresAt)
            CheckExpiry(expiresAt, settings.Limits, clock.GetUtcNow(), errors);
        var done = DoneOf(request, errors);
        CheckPage(request, errors);
        SessionPasswords.Check(request.Password.Value, errors);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        var warnings = body.Warnings(
            NobodyReceives(seen.DestinationsCount, seen.LongPolling),
            MustBeReadable(request.Strip is null ? seen.Strip : limits.Strip, project));
        var passwordHash = request.Password.Value is { } password ? SessionPasswords.Hash(password) : null;
        var updated = await database.WriteAsync(
            async write =>
            {
                var now = clock.GetUtcNow();
                var session = await database.Locked(write.Sessions, [seen.Id]).SingleAsync(cancellationToken);
                session.ExpiresAt = request.ExpiresAt ?? session.ExpiresAt;
                session.MaxImages = request.MaxImages is null ? session.MaxImages : limits.MaxImages;
                session.AllowedMimeTypes = request.AllowedMimeTypes is null ? session.AllowedMimeTypes : limits.AllowedMimeTypes;
                session.MaxImageDimension = request.MaxImageDimension is null
                    ? session.MaxImageDimension : limits.MaxImageDimension;
                session.MaxImageSizeMb = request.MaxImageSizeMb is null ? session.MaxImageSizeMb : limits.MaxImageSizeMb;
                session.Done = done ?? session.Done;
                session.AllowWithdraw = request.AllowWithdraw ?? session.AllowWithdraw;
                session.AllowCaptions = request.AllowCaptions ?? session.AllowCaptions;
                session.Instructions = NullIfEmpty(request.Instructions ?? session.Instructions);
                session.ThankYou = NullIfEmpty(request.ThankYou ?? session.ThankYou);
                session.ReturnUrl = NullIfEmpty(request.ReturnUrl ?? session.ReturnUrl);
                session.CameraOnly = request.CameraOnly ?? session.CameraOnly;
                session.Ask = request.Ask is null ? session.Ask : [.. request.Ask];
                session.Strip = request.Strip is null ? session.Strip : limits.Strip;
                if (request.Password.IsPresent)
                    (session.PasswordHash, session.PasswordGuesses) = (passwordHash, []);
                session.Touch(now);
                var events = new EventOutbox(now);
                SessionEnd.Note(session, now, events);
                await events.WriteAsync(write, cancellationToken);
                return session;
            },
            cancellationToken);
        var info = await SessionLinkApi.DescribeAsync(updated, verified: true, database, keyPair, clock, cancellationToken);
        return TypedResults.Ok(info with { Warnings = warnings });
    }

    /// <summary>Everything about one session but its photos.</summary>
    public static async Task<Ok<SessionDetails>> Get(
        string id, Caller caller, SessionGate gate, Database database, ServerKeyPair keyPair, WidgetTokens widgets, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, caller, cancellationToken);
        var info = await SessionLinkApi.DescribeAsync(session, verified: true, database, keyPair, clock, cancellationToken);
        await using var db = database.Open();
        var destinations = await db.Destinations.AsNoTracking()
            .Where(destination => session.DestinationIds.Contains(destination.Id) && destination.DeletedAt == null)
            .ToDictionaryAsync(destination => destination.Id, cancellationToken);
        return TypedResults.Ok(SessionDetails.Of(info) with
        {
            Metadata = session.Metadata is null ? null : JsonNode.Parse(session.Metadata)!.AsObject(),
            Destinations = [.. session.DestinationIds.Where(destinations.ContainsKey).Select(d => Describe(destinations[d]))],
            DestinationsCount = session.DestinationsCount,
            LongPollingEnabled = session.LongPolling,
            ImagesDelivered = session.ImagesDelivered,
            ImagesFailed = session.ImagesFailed,
            Env = session.Env.WireName(),
            CreatedAt = session.CreatedAt,
            WidgetToken = widgets.Of(session.Id),
        });
    }

    /// <summary>Closes the session: it takes no more photos. One that is over already stays as it is.</summary>
    public static async Task<Ok<SessionInfo>> Complete(
        string id, Caller caller, SessionGate gate, Database database, ServerKeyPair keyPair, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, caller, cancellationToken);
        session = await CompleteAsync(session.Id, database, clock, cancellationToken);
        return TypedResults.Ok(await SessionLinkApi.DescribeAsync(session, verified: true, database, keyPair, clock, cancellationToken));
    }

    /// <inheritdoc cref="Complete"/>
    public static Task<UploadSession> CompleteAsync(Guid id, Database database, TimeProvider clock, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var row = await database.Locked(db.Sessions, [id]).SingleAsync(cancellationToken);
                if (row.Status(now) is "pending" or "active")
                    row.CompletedAt = now;
                var events = new EventOutbox(now);
                SessionEnd.Note(row, now, events);
                await events.WriteAsync(db, cancellationToken);
                return row;
            },
            cancellationToken);

    /// <summary>The link as a QR code.</summary>
    public static async Task<IResult> Qr(
        string id, HttpRequest request, SessionGate gate, PublicAddress address, CancellationToken cancellationToken)
    {
        var style = QrStyle.Parse(request.Query, out var problems);
        if (problems.Count > 0)
            throw ApiErrors.Validation([.. problems.Select(problem => new FieldError(problem.Field, problem.Message))]).ToException();
        var session = await gate.FindAsync(id, cancellationToken);
        return await QrCode.DrawAsync(UploadUrl(address.BaseOf(request), session.Id), style, cancellationToken);
    }

    /// <summary>
    /// Removes a session with its photos: out of lists and counts, their bytes too. What was not delivered yet is not delivered any more.
    /// </summary>
    public static async Task<NoContent> Delete(
        string id, Caller caller, SessionGate gate, UploadDeletion deletion, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, caller, cancellationToken);
        return await deletion.RunAsync(session, cancellationToken) ? TypedResults.NoContent() : throw ApiErrors.NotFound.ToException();
    }

    /// <summary>The project a new session belongs to: a key's own, or the one that a person names.</summary>
    private static async Task<Project> ProjectOfAsync(
        CreateSessionRequest request, Caller caller, Database database, CancellationToken cancellationToken)
    {
        if (caller.Key is null && request.ProjectId is null)
            throw ApiErrors.Validation("project_id", "project_id is needed: you may belong to several projects.").ToException();
        var id = request.ProjectId is { } named ? Ids.Parse(named) : caller.Key!.ProjectId;
        caller.RoleIn(id);
        await using var db = database.Open();
        return await db.Projects.AsNoTracking().SingleAsync(p => p.Id == id, cancellationToken);
    }

    private static Env EnvOf(CreateSessionRequest request, ApiKey? key, List<FieldError> errors)
    {
        var named = EnumNames.Parse<Env>(request.Env);
        if (request.Env is not null && (named is null || (key is not null && key.Env != named)))
            errors.Add(new FieldError("env", key is null ? "env must be live or test." : "A key makes sessions of its own environment only."));
        return key?.Env ?? named ?? Env.Live;
    }

    private static CreateSessionResponse Describe(UploadSession session, IReadOnlyList<Destination> destinations, string baseUrl)
    {
        var url = UploadUrl(baseUrl, session.Id);
        var qr = $"{baseUrl}/api/v1/upload-sessions/{session.Id}/qr";
        return new CreateSessionResponse
        {
            Id = session.Id,
            Uuid = session.Id,
            UploadUrl = url,
            ShortUrl = url,
            QrUrl = qr,
            QrSpecs = new QrSpecs(qr, QrStyle.Formats, QrStyle.Params),
            WidgetToken = "",
            Destinations = [.. destinations.Select(Describe)],
            LongPolling = session.LongPolling,
            ExpiresAt = session.ExpiresAt,
            PasswordProtected = session.PasswordHash is not null,
            Env = session.Env.WireName(),
        };
    }

    private static SessionDestination Describe(Destination destination) => new(destination.Id, destination.Type, destination.Name);

    private static string? NobodyReceives(int destinations, bool longPolling) => destinations > 0 || longPolling ? null
        : "Nothing will receive the photos of this session: it has no destinations and no long_polling. They are only stored.";

    private static string? MustBeReadable(Strip strip, Project project) => strip == Strip.None || project.E2ePublicKey is null ? null
        : "Photos of this session are not encrypted end to end, although the project has a key: the server must read them to remove their metadata (strip).";

    private static string UploadUrl(string baseUrl, Guid id) => $"{baseUrl}/u/{id}";

    private static DateTimeOffset Expiry(CreateSessionRequest request, LimitSettings limits, DateTimeOffset now, List<FieldError> errors)
    {
        if (new object?[] { request.ExpiresAt, request.ExpiresInHours, request.ExpiresIn }.Count(given => given is not null) > 1)
            errors.Add(new FieldError("expires_at", "Give one of expires_at, expires_in_hours and expires_in."));
        var hours = SessionLimits.InRange("expires_in_hours", request.ExpiresInHours, 1, limits.MaxSessionHours, errors);
        var seconds = SessionLimits.InRange("expires_in", request.ExpiresIn, 1, limits.MaxSessionHours * 3600, errors);
        if (seconds > 0 && request.ExpiresAt is null)
            return now.AddSeconds(Math.Min(seconds.Value, limits.MaxSessionHours * 3600));
        if (request.ExpiresAt is not { } expiresAt)
            return now.AddHours(Math.Clamp(hours ?? limits.DefaultSessionHours, 1, limits.MaxSessionHours));

        CheckExpiry(expiresAt, limits, now, errors);
        return expiresAt;
    }

    private static void CheckExpiry(DateTimeOffset expiresAt, LimitSettings limits, DateTimeOffset now, List<FieldError> errors)
    {
        if (expiresAt <= now || expiresAt > now.AddHours(limits.MaxSessionHours))
            errors.Add(new FieldError("expires_at", $"expires_at must be in the future, at most {limits.MaxSessionHours} hours from now."));
    }

    private static DoneScope? DoneOf(SessionRequest request, List<FieldError> errors)
    {
        var done = EnumNames.Parse<DoneScope>(request.Done);
        if (request.Done is not null && done is null)
            errors.Add(new FieldError("done", "done must be visitor, session or never."));
        return done;
    }

    private static void CheckPage(SessionRequest request, List<FieldError> errors)
    {
        if (request.Instructions is { Length: > MaxInstructionsLength })
            errors.Add(new FieldError("instructions", $"instructions may have up to {MaxInstructionsLength} characters."));
        if (request.ThankYou is { Length: > MaxThankYouLength })
            errors.Add(new FieldError("thank_you", $"thank_you may have up to {MaxThankYouLength} characters."));
        if (request.ReturnUrl is { Length: > 0 } url && !IsReturnUrl(url))
            errors.Add(new FieldError("return_url", "return_url must be an https address."));
        if (request.Ask is { } asked && AskedFields.Problem(asked) is { } problem)
            errors.Add(new FieldError("ask", problem));
    }

    /// <summary>Whether a page may lead there.</summary>
    public static bool IsReturnUrl(string url) =>
        url.Length <= MaxUrlLength && Uri.TryCreate(url, UriKind.Absolute, out var address) && address.Scheme == "https" && address.UserInfo.Length == 0;

    private static string? NullIfEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    private static void CheckTexts(CreateSessionRequest request, List<FieldError> errors)
    {
        if (request.Tags is { } tags && (tags.Count > MaxTags || tags.Any(tag => tag is null or { Length: 0 or > MaxTagLength })))
            errors.Add(new FieldError("tags", $"tags may hold up to {MaxTags} texts of 1 to {MaxTagLength} characters."));
        if (request.Label is { Length: > MaxLabelLength })
            errors.Add(new FieldError("label", $"label may have up to {MaxLabelLength} characters."));
        if (request.Metadata is { } metadata && Encoding.UTF8.GetByteCount(metadata.ToJsonString()) > MaxMetadataBytes)
            errors.Add(new FieldError("metadata", "metadata may have up to 8 kB."));
    }

    /// <summary>The destinations a session names, in its order; without a word about them the key's own, as far as they are active.</summary>
    private static async Task<IReadOnlyList<Destination>> ChooseDestinationsAsync(
        Database database, IReadOnlyList<string>? asked, Guid projectId, Guid[] byDefault, List<FieldError> errors, CancellationToken cancellationToken)
    {
        var texts = asked ?? [.. byDefault.Select(id => id.ToString())];
        var ids = texts.Select(text => Guid.TryParse(text, out var id) ? id : Guid.Empty).Distinct().ToList();
        if (ids.Count == 0)
            return [];

        await using var db = database.Open();
        var found = await db.Destinations.AsNoTracking()
            .Where(d => d.ProjectId == projectId && d.IsActive && d.DeletedAt == null && ids.Contains(d.Id))
            .ToDictionaryAsync(d => d.Id, cancellationToken);
        if (asked is not null && texts.Where(text => !Guid.TryParse(text, out var id) || !found.ContainsKey(id)).ToList() is { Count: > 0 } unknown)
        {
            errors.Add(new FieldError("destination_ids",
                $"Unknown or inactive destination: {string.Join(", ", unknown.Select(text => text is { Length: <= 64 } ? text : "…"))}."));
        }

        return [.. ids.Where(found.ContainsKey).Select(id => found[id])];
    }
}
