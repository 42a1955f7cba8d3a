using Apertur.Server.Sharing;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;
using MimeKit;

namespace Apertur.Server.Health;

/// <summary>
/// Tells the operator by mail what is wrong and when it is right again, once each: what the readiness checks of this node find, and, whichever
/// node comes first, destinations that fail.
/// </summary>
internal sealed partial class OperatorWatch(
    Database database, Readiness readiness, Messenger messenger, Settings settings, TimeProvider clock, ILogger<OperatorWatch> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(15);

    // What is found once may have been a moment's.
    private const int LooksToBelieve = 2;

    private readonly Dictionary<string, (bool Told, int Looks)> _told = [];

    private bool IsWanted => settings.Operator.Email.Length > 0 && messenger.SendsEmail;

    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        await TellOfServerAsync(cancellationToken);
        await TellOfDestinationsAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        IsWanted ? WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken) : Task.CompletedTask;

    private async Task TellOfServerAsync(CancellationToken cancellationToken)
    {
        var found = (await readiness.LookAsync(cancellationToken)).ToDictionary(problem => problem.Check, problem => problem.Detail);
        foreach (var check in _told.Keys.Union(found.Keys).ToList())
        {
            var (told, looks) = _told.GetValueOrDefault(check);
            var detail = found.GetValueOrDefault(check);
            looks = detail is not null == told ? 0 : looks + 1;
            if (looks >= LooksToBelieve && await SendAsync($"{check}{(detail is null ? " is all right again" : "")}", detail ?? "", cancellationToken))
                (told, looks) = (!told, 0);
            _told[check] = (told, looks);
        }
    }

    private async Task TellOfDestinationsAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var changed = await (
            from destination in db.Destinations.AsNoTracking()
            join project in db.Projects on destination.ProjectId equals project.Id
            where destination.DeletedAt == null && destination.OperatorTold != destination.Breaker.OpenedCount > 0
            select new { destination, project.Name }).ToListAsync(cancellationToken);
        foreach (var (destination, project) in changed.Select(row => (row.destination, row.Name)))
        {
            var fails = destination.Breaker.IsFailing;
            if (!await NoteAsync(destination.Id, fails, cancellationToken))
                continue;
            var subject = $"{project}: {destination.Name} ({destination.Type}) {(fails ? "does not work" : "works again")}";
            if (!await SendAsync(subject, fails ? destination.Problem! : "", cancellationToken))
                await NoteAsync(destination.Id, !fails, cancellationToken);
        }
    }

    /// <returns>Whether this node was the one to note it.</returns>
    private async Task<bool> NoteAsync(Guid id, bool told, CancellationToken cancellationToken) => await database.WriteAsync(
        db => db.Destinations.Where(d => d.Id == id && d.OperatorTold != told)
            .ExecuteUpdateAsync(d => d.SetProperty(x => x.OperatorTold, told), cancellationToken),
        cancellationToken) == 1;

    private async Task<bool> SendAsync(string subject, string text, CancellationToken cancellationToken)
    {
        var all = true;
        foreach (var address in InternetAddressList.Parse(settings.Operator.Email).Mailboxes)
            all &= await messenger.SendEmailAsync(address, $"Apertur on {Environment.MachineName}: {subject}", $"{subject}\n\n{text}\n", cancellationToken);
        return all;
    }

    [LoggerMessage(EventName = "operator.watch_failed", Level = LogLevel.Error,
        Message = "What the operator should be told could not be looked up; it is tried again")]
    private partial void LogFailure(Exception exception);
}
