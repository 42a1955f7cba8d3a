using System.Text;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.ProjectData;
using Apertur.Server.Storage;
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

    /// <summary>Makes an upload session, and gives the link and QR code to hand out.</summary>
    public static async Task<Created<CreateSessionResponse>> Create(
        Body<CreateSessionRequest> body, Caller caller, Database database, Settings settings, PublicAddress address, TimeProvider clock,
        HttpRequest http, CancellationToken cancellationToken)
    {
        var request = body.Value;
        var now = clock.GetUtcNow();
        var key = caller.Key!;
        var errors = new List<FieldError>();
        var limits = SessionLimits.Of(request, key, settings.Limits, errors);
        var expiresAt = Expiry(request, settings.Limits, now, errors);
        CheckTexts(request, errors);
        var destinations = await ChooseDestinationsAsync(database, request.DestinationIds, key.ProjectId, key.DefaultDestinations, errors, cancellationToken);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        var session = new UploadSession
        {
            Id = Guid.NewGuid(),
            ProjectId = key.ProjectId,
            KeyId = key.Id,
            Env = key.Env,
            Label = request.Label,
            Tags = request.Tags is null ? null : [.. request.Tags],
            Metadata = request.Metadata?.ToJsonString(),
            DestinationIds = [.. destinations.Select(destination => destination.Id)],
            DestinationsCount = destinations.Count,
            LongPolling = request.LongPolling ?? key.LongPollingEnabled,
            MaxImages = limits.MaxImages,
            AllowedMimeTypes = limits.AllowedMimeTypes,
            MaxImageDimension = limits.MaxImageDimension,
            MaxImageSizeMb = limits.MaxImageSizeMb,
            CreatedAt = now,
            ExpiresAt = expiresAt,
            LastChanged = now,
        };
        await database.WriteAsync(
            async db =>
            {
                db.Sessions.Add(session);
                await db.SaveChangesAsync(cancellationToken);
                var counts = new DailyCountChanges();
                counts.For(session.ProjectId, session.Env, now).Sessions++;
                await counts.ApplyAsync(db, cancellationToken);
            },
            cancellationToken);
        return TypedResults.Created(
            $"/api/v1/upload/{session.Id}/session", Describe(session, destinations, address.BaseOf(http)));
    }

    /// <summary>What the holder of the link may know of the session.</summary>
    public static async Task<Ok<SessionInfo>> Info(
        string id, SessionGate gate, AperturDb db, ServerKey key, TimeProvider clock, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == session.ProjectId, cancellationToken);
        var encryption = SessionEncryption.Of(session, project.E2ePublicKey);
        return TypedResults.Ok(new SessionInfo
        {
            Id = session.Id,
            Status = session.Status(clock.GetUtcNow()),
            ExpiresAt = session.ExpiresAt,
            Tags = session.Tags,
            ImagesPerSession = session.MaxImages,
            EffectiveMaxImages = session.MaxImages,
            EffectiveAllowedMimeTypes = SessionLimits.AllowedTypes(session),
            EffectiveMaxImageDimension = session.MaxImageDimension,
            EffectiveMaxImageSizeMb = session.MaxImageSizeMb,
            PasswordProtected = session.PasswordHash is not null,
            ServerPublicKey = key.PublicKey,
            E2eEnabled = encryption.Enabled,
            E2ePublicKey = encryption.PublicKey,
            E2eDowngraded = encryption.Downgraded,
            ImagesCount = session.ImagesCount,
            ProjectName = project.Name,
            Label = session.Label,
        });
    }

    /// <summary>The link as a QR code.</summary>
    public static async Task<IResult> Qr(
        string id, HttpRequest request, SessionGate gate, PublicAddress address, CancellationToken cancellationToken)
    {
        var style = QrStyle.Parse(request.Query, out var problems);
        if (problems.Count > 0)
            return ApiErrors.Validation([.. problems.Select(problem => new FieldError(problem.Field, problem.Message))]);
        var session = await gate.FindAsync(id, cancellationToken);
        return QrCode.Draw(UploadUrl(address.BaseOf(request), session.Id), style);
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
            Destinations = [.. destinations.Select(d => new SessionDestination(d.Id, d.Type, d.Name))],
            LongPolling = session.LongPolling,
            ExpiresAt = session.ExpiresAt,
            PasswordProtected = session.PasswordHash is not null,
            Env = session.Env == Env.Live ? "live" : "test",
        };
    }

    private static string UploadUrl(string baseUrl, Guid id) => $"{baseUrl}/u/{id}";

    private static DateTimeOffset Expiry(CreateSessionRequest request, LimitSettings limits, DateTimeOffset now, List<FieldError> errors)
    {
        if (request is { ExpiresAt: not null, ExpiresInHours: not null })
            errors.Add(new FieldError("expires_at", "Give expires_at or expires_in_hours, not both."));
        var hours = SessionLimits.InRange("expires_in_hours", request.ExpiresInHours, 1, limits.MaxSessionHours, errors);
        if (request.ExpiresAt is not { } expiresAt)
            return now.AddHours(Math.Clamp(hours ?? limits.DefaultSessionHours, 1, limits.MaxSessionHours));

        if (expiresAt <= now || expiresAt > now.AddHours(limits.MaxSessionHours))
            errors.Add(new FieldError("expires_at", $"expires_at must be in the future, at most {limits.MaxSessionHours} hours from now."));
        return expiresAt;
    }

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
