using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Polling;

/// <summary>Pull delivery: a program fetches images itself, and says of each that it has it.</summary>
internal static class PollApi
{
    private const int LongestSeconds = 30;

    /// <summary>Everything that is not acknowledged, oldest first; with <c>timeout</c> held until there is something.</summary>
    public static async Task<Ok<PollResponse>> List(
        string id, HttpRequest request, Caller caller, SessionGate gate, Database database, LongPoll poll,
        CancellationToken cancellationToken)
    {
        var seconds = Paging.Number(request, "timeout", 0, 1, LongestSeconds);
        var session = await FindAsync(id, caller, gate, cancellationToken);
        var images = await poll.HoldAsync(
            session, caller, TimeSpan.FromSeconds(seconds), () => WaitingAsync(session.Id, database),
            found => found.Count > 0, cancellationToken);
        return TypedResults.Ok(new PollResponse(images));
    }

    /// <summary>The bytes of one image, acknowledged or not.</summary>
    public static async Task<IResult> Image(
        string id, string imageId, Caller caller, SessionGate gate, AperturDb db, StoredImages images,
        CancellationToken cancellationToken)
    {
        var session = await FindAsync(id, caller, gate, cancellationToken);
        var uploadId = Ids.Parse(imageId);
        var upload = await db.Uploads.AsNoTracking()
            .SingleOrDefaultAsync(u => u.Id == uploadId && u.SessionId == session.Id, cancellationToken);
        return new ImageBytes(upload ?? throw ApiErrors.NotFound.ToException(), images);
    }

    /// <summary>The program has the image: it is not offered again.</summary>
    public static async Task<Ok<AckResponse>> Acknowledge(
        string id, string imageId, Caller caller, SessionGate gate, Database database, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await FindAsync(id, caller, gate, cancellationToken);
        var uploadId = Ids.Parse(imageId);
        await database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var row = await database.Locked(db.Sessions, [session.Id]).SingleAsync(cancellationToken);
                var upload = await database.Locked(db.Uploads, [uploadId]).SingleOrDefaultAsync(cancellationToken);
                if (upload?.SessionId != row.Id)
                    throw ApiErrors.NotFound.ToException();
                if (upload.AcknowledgedAt is not null)
                    throw ApiErrors.AlreadyAcknowledged.ToException();

                upload.AcknowledgedAt = now;
                row.Touch(now);
            },
            cancellationToken);
        return TypedResults.Ok(new AckResponse("acknowledged"));
    }

    /// <summary>The same by the image's id alone.</summary>
    public static async Task<Ok<AckResponse>> AcknowledgeImage(
        string id, Caller caller, SessionGate gate, Database database, TimeProvider clock, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        return await Acknowledge(upload.SessionId.ToString(), id, caller, gate, database, clock, cancellationToken);
    }

    private static async Task<UploadSession> FindAsync(
        string id, Caller caller, SessionGate gate, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, caller, cancellationToken);
        return session.LongPolling
            ? session
            : throw ApiErrors.BadRequest("This upload session was created without long_polling: its images cannot be fetched here.")
                .ToException();
    }

    private static async Task<IReadOnlyList<PollImage>> WaitingAsync(Guid sessionId, Database database)
    {
        await using var db = database.Open();
        return await db.Uploads.AsNoTracking()
            .Where(upload => upload.SessionId == sessionId && upload.AcknowledgedAt == null)
            .OrderBy(upload => upload.ImageIndex)
            .Select(upload => new PollImage
            {
                Id = upload.Id,
                Filename = upload.Filename,
                SizeBytes = upload.SizeBytes,
                MimeType = upload.MimeType,
                OriginalSha256 = upload.OriginalSha256,
                Source = upload.Fields.Source,
                Visitor = upload.Fields.Visitor,
                Caption = upload.Fields.Caption,
                Answers = UploadFields.Read(upload.Fields.Answers),
                CreatedAt = upload.CreatedAt,
            })
            .ToListAsync();
    }
}
