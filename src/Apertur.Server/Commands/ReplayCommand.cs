using System.CommandLine;
using Apertur.Server.Audit;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Replays;

namespace Apertur.Server.Commands;

/// <summary><c>replay</c>: delivering again, or for the first time, what was received before. A running server does it.</summary>
internal static class ReplayCommand
{
    private static readonly Option<string> _project = new("--project") { Description = "The project's id.", Required = true };
    private static readonly Option<Guid> _replay = new("--replay") { Description = "The replay's id.", Required = true };
    private static readonly Option<Guid?> _destination = new("--destination") { Description = "Only to this destination." };
    private static readonly Option<Guid?> _webhook = new("--webhook") { Description = "Events for this event webhook, in place of photos." };
    private static readonly Option<Guid?> _session = new("--session") { Description = "Only photos of this session." };
    private static readonly Option<Guid[]> _uploads = new("--upload") { Description = "Only these photos." };
    private static readonly Option<string?> _status = new("--status") { Description = "failed, sent or never_dispatched." };
    private static readonly Option<string?> _words = new("--error-contains") { Description = "Only what failed with these words." };
    private static readonly Option<DateTimeOffset?> _from = new("--from") { Description = "Only of what came in from then on." };
    private static readonly Option<DateTimeOffset?> _to = new("--to") { Description = "Only of what came in before then." };
    private static readonly Option<bool> _dryRun = new("--dry-run") { Description = "Only count." };

    public static Command Create() => new("replay", "Deliver again what failed or was sent, or to a new destination what came in before it.")
    {
        UserCommand.Act(
            "start", "Begin a replay.", [_project, _destination, _webhook, _session, _uploads, _status, _words, _from, _to, _dryRun],
            (parsed, token) => StartAsync(
                UserCommand.Data(parsed),
                parsed.GetValue(_project)!,
                new ReplayRequest
                {
                    DestinationId = parsed.GetValue(_destination),
                    WebhookId = parsed.GetValue(_webhook),
                    SessionId = parsed.GetValue(_session),
                    UploadIds = parsed.GetValue(_uploads) is { Length: > 0 } ids ? ids : null,
                    Status = parsed.GetValue(_status),
                    ErrorContains = parsed.GetValue(_words),
                    From = parsed.GetValue(_from),
                    To = parsed.GetValue(_to),
                    DryRun = parsed.GetValue(_dryRun),
                },
                UserCommand.Json(parsed), token)),
        UserCommand.Act("list", "Show the replays of a project, newest first.", [_project], (parsed, token) =>
            ListAsync(UserCommand.Data(parsed), parsed.GetValue(_project)!, UserCommand.Json(parsed), token)),
        Change("pause", "Put nothing more into the queue until it is resumed.", ReplayState.Paused),
        Change("resume", "Go on.", ReplayState.Running),
        Change("cancel", "End it; what is in the queue goes on.", ReplayState.Cancelled),
    };

    private static Command Change(string name, string description, ReplayState state) =>
        UserCommand.Act(name, description, [_project, _replay], (parsed, token) => ChangeAsync(
            UserCommand.Data(parsed), parsed.GetValue(_project)!, parsed.GetValue(_replay), state, UserCommand.Json(parsed), token));

    private static async Task StartAsync(string data, string projectId, ReplayRequest request, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        await using var db = folder.Database.Open();
        var project = await ProjectCommand.FindAsync(db.Projects, projectId, cancellationToken);
        var replay = await OrWordsAsync(ReplaysApi.DescribeAsync(db, project.Id, null, request, "command line", folder.Now, cancellationToken));
        if (request.DryRun is true)
        {
            DataFolder.Print(json, new { dryRun = true, total = replay.Total }, $"{replay.Total} would be taken up.");
            return;
        }

        await folder.Database.WriteAsync(
            write =>
            {
                write.Replays.Add(replay);
                AuditLog.AddOperator(write, project.Id, "replays.create", replay.Id, folder.Now);
                return Task.CompletedTask;
            },
            cancellationToken);
        DataFolder.Print(json, new { id = replay.Id, total = replay.Total }, $"{replay.Id}  {replay.Total} to be taken up by the running server.");
    }

    private static async Task ListAsync(string data, string projectId, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        await using var db = folder.Database.Open();
        var project = await ProjectCommand.FindAsync(db.Projects, projectId, cancellationToken);
        var replays = await ReplaysApi.DescribeAsync(
            db, [.. db.Replays.Where(replay => replay.ProjectId == project.Id).OrderByDescending(replay => replay.CreatedAt)], cancellationToken);
        DataFolder.Print(json, replays, replay =>
            [replay.Id.ToString(), replay.State, replay.Status, $"{replay.Queued} of {replay.Total}", $"{replay.Sent} sent", $"{replay.Failed} failed"]);
    }

    private static async Task ChangeAsync(
        string data, string projectId, Guid id, ReplayState state, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var replay = await OrWordsAsync(ReplaysApi.ChangeAsync(
            folder.Database,
            async db =>
            {
                var project = await ProjectCommand.FindAsync(db.Projects, projectId, cancellationToken);
                AuditLog.AddOperator(db, project.Id, $"replays.{(state == ReplayState.Running ? "resume" : state == ReplayState.Paused ? "pause" : "cancel")}", id, folder.Now);
                return await ReplaysApi.FindAsync(db.Replays.Where(each => each.ProjectId == project.Id), id.ToString(), cancellationToken);
            },
            state, folder.Now, cancellationToken));
        DataFolder.Print(json, new { id = replay.Id, state = replay.State.WireName() }, $"{replay.Id} is {replay.State.WireName()}.");
    }

    /// <exception cref="CommandException">What the API would have refused, in its words.</exception>
    private static async Task<T> OrWordsAsync<T>(Task<T> work)
    {
        try
        {
            return await work;
        }
        catch (ApiErrorException refused)
        {
            throw new CommandException(refused.Error.Message);
        }
    }
}
