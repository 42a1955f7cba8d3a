using System.Text.RegularExpressions;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using MimeKit;

namespace Apertur.Server.Sharing;

/// <summary>Sends a session's link to somebody.</summary>
internal static partial class ShareApi
{
    public const int MaxPerHour = 20;

    private const int MaxNoteLength = 500;

    /// <summary>Sends the link by e-mail or SMS, as a short link that can be revoked. At most 20 times an hour for a session.</summary>
    public static async Task<Ok<ShareResponse>> Create(
        string id, Body<ShareRequest> body, Caller caller, SessionGate gate, Database database, Messenger messenger, PublicAddress address,
        HttpRequest http, TimeProvider clock, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, caller, cancellationToken);
        var (channel, recipient, mailbox) = Check(body.Value, messenger);
        if (gate.Refusal(session) is { } refusal)
            throw refusal.ToException();

        var (code, project) = await ClaimAsync(session.Id, database, clock.GetUtcNow(), cancellationToken);
        var url = $"{address.BaseOf(http)}/s/{code}";
        var sent = mailbox is not null
            ? await messenger.SendEmailAsync(mailbox, $"{project}: please send your photos", Letter(project, body.Value.Note, url, session), cancellationToken)
            : await messenger.SendSmsAsync(recipient, $"{project}: {url}", cancellationToken);
        return sent
            ? TypedResults.Ok(new ShareResponse(true, channel, recipient, url))
            : throw ApiErrors.NotSent.ToException();
    }

    /// <summary>Ends the session's short link. The session's own link goes on; sharing again makes another short one.</summary>
    public static async Task<NoContent> Revoke(
        string id, Caller caller, SessionGate gate, Database database, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, caller, cancellationToken);
        await database.WriteAsync(
            async db => (await database.Locked(db.Sessions, [session.Id]).SingleAsync(cancellationToken)).ShortCode = null, cancellationToken);
        return TypedResults.NoContent();
    }

    private static (string Channel, string Recipient, MailboxAddress? Mailbox) Check(ShareRequest request, Messenger messenger)
    {
        var recipient = request.Recipient?.Trim() ?? "";
        switch (request.Channel)
        {
            case "email" when !messenger.SendsEmail:
                throw ApiErrors.Validation("channel", "This server is not set up to send e-mail: its operator sets Sharing:EmailTransport.").ToException();
            case "sms" when !messenger.SendsSms:
                throw ApiErrors.Validation("channel", "This server is not set up to send SMS: its operator sets Sharing:SmsUrl.").ToException();
            case "email":
                if (request.Note is { Length: > MaxNoteLength })
                    throw ApiErrors.Validation("note", $"note may have up to {MaxNoteLength} characters.").ToException();
                return Email().IsMatch(recipient) && MailboxAddress.TryParse(recipient, out var mailbox)
                    ? ("email", recipient, mailbox)
                    : throw ApiErrors.Validation("recipient", "recipient must be one e-mail address.").ToException();
            case "sms":
                if (request.SmsConsent is not true)
                    throw ApiErrors.Validation("sms_consent", "sms_consent must be true: the recipient has to have agreed to get an SMS.").ToException();
                if (request.Note is not null)
                    throw ApiErrors.Validation("note", "A note goes with e-mail only.").ToException();
                var number = Separators().Replace(recipient, "");
                return Phone().IsMatch(number)
                    ? ("sms", number, null)
                    : throw ApiErrors.Validation("recipient", "recipient must be a phone number with its country, such as +41791234567.").ToException();
            default:
                throw ApiErrors.Validation("channel", "channel must be email or sms.").ToException();
        }
    }

    /// <summary>Counts one more message, and sees to it that the session has a short link.</summary>
    /// <exception cref="ApiErrorException">429.</exception>
    private static Task<(string Code, string Project)> ClaimAsync(Guid id, Database database, DateTimeOffset now, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var row = await database.Locked(db.Sessions, [id]).SingleAsync(cancellationToken);
                var (hour, time) = ((long)TimeSpan.FromHours(1).TotalMilliseconds, now.ToUnixTimeMilliseconds());
                long[] lately = [.. row.Shares.Where(share => share > time - hour)];
                if (lately.Length >= MaxPerHour)
                    throw ApiErrors.TooManyShares(MaxPerHour, (int)Math.Ceiling((lately[0] + hour - time) / 1000.0)).ToException();
                row.Shares = [.. lately, time];
                row.ShortCode ??= ShortLinks.NewCode();
                var project = await db.Projects.Where(p => p.Id == row.ProjectId).Select(p => p.Name).SingleAsync(cancellationToken);
                return (row.ShortCode, project);
            },
            cancellationToken);

    private static string Letter(string project, string? note, string url, UploadSession session)
    {
        var until = session.ExpiresAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture);
        var words = string.IsNullOrWhiteSpace(note) ? "" : $"{note.Trim()}\n\n";
        return $"{words}{project} asks you for photos. Open this link on your phone; no app and no account is needed:\n\n{url}\n\nThe link works until {until}.\n";
    }

    [GeneratedRegex(@"^[^\s@<>,;:""]{1,64}@[^\s@<>,;:""]{1,190}\z")]
    private static partial Regex Email();

    [GeneratedRegex(@"^\+[1-9]\d{6,14}\z")]
    private static partial Regex Phone();

    [GeneratedRegex(@"[\s().\-/]")]
    private static partial Regex Separators();
}
