using Apertur.Server.Accounts;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>
/// Lets a browser's <c>EventSource</c>, which can send no header, open the event stream of a protected session: whoever has the password gets
/// a ticket to put into the address, good for one use. Only its hash is kept.
/// </summary>
internal sealed class EventTicket
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    public required string Hash { get; init; }
    public required Guid SessionId { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Gives a ticket that opens the event stream once, within a minute. The password comes in the body or as the header.</summary>
    public static async Task<Ok<EventTicketResponse>> Create(
        string id, Body<VerifyPasswordRequest> body, HttpRequest request, SessionGate gate, Database database, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, body.Value.Password ?? SessionPasswords.Of(request), cancellationToken);
        var now = clock.GetUtcNow();
        var secret = OneTimeSecret.Generate();
        await database.WriteAsync(
            async db =>
            {
                await db.EventTickets.Where(ticket => ticket.ExpiresAt <= now).ExecuteDeleteAsync(cancellationToken);
                db.EventTickets.Add(new() { Hash = OneTimeSecret.HashOf(secret), SessionId = session.Id, ExpiresAt = now + Lifetime });
            },
            cancellationToken);
        return TypedResults.Ok(new EventTicketResponse(secret));
    }

    /// <summary>Uses a ticket up.</summary>
    /// <returns>Whether it was one of that session and still good.</returns>
    public static async Task<bool> RedeemAsync(
        string secret, Guid sessionId, Database database, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var hash = OneTimeSecret.HashOf(secret);
        return await database.WriteAsync(
            db => db.EventTickets.Where(ticket => ticket.Hash == hash && ticket.SessionId == sessionId && ticket.ExpiresAt > now)
                .ExecuteDeleteAsync(cancellationToken),
            cancellationToken) == 1;
    }
}
