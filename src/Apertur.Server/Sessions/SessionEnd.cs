using Apertur.Server.Events;

namespace Apertur.Server.Sessions;

/// <summary>
/// Marks, once, that a session is over. Everything that may end or reopen one calls this in its transaction: an image that fills
/// it, its completion, a change of its limits, a withdrawn image, and the sweep for those whose time is up.
/// </summary>
internal static class SessionEnd
{
    /// <param name="session">The row, locked and otherwise up to date.</param>
    /// <param name="now">The time of the transaction.</param>
    /// <param name="events">Is told when it ended with this call.</param>
    /// <returns>Whether it did.</returns>
    public static bool Note(UploadSession session, DateTimeOffset now, EventOutbox events)
    {
        if (session.Status(now) is not ("completed" or "expired"))
        {
            session.OverAt = null;
            return false;
        }

        if (session.OverAt is not null)
            return false;
        session.Touch(now);
        session.OverAt = session.LastChanged;
        events.SessionEnded(session);
        return true;
    }
}
