using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Destinations;

public sealed class DropboxConformanceTests : DestinationConformance
{
    // Of a delivery and of a test.
    private const string Upload = "POST /2/files/upload";

    private FakeDropbox _service = null!;
    private string _token = "";

    protected override IReadOnlyList<string> Secrets => ["planted", "pid_upload_session", _token];

    private protected override IDestinationType Create(OutboundHttp http) => DropboxDestinationTests.Dropbox(http, _service);

    protected override async Task StartAsync()
    {
        _service = await FakeDropbox.StartAsync();
        _token = _service.OAuth.IssueAccessToken();
    }

    protected override async Task StopAsync() => await _service.DisposeAsync();

    protected override JsonObject Values() => [];

    private protected override DestinationConfig Config(JsonObject values) => Sample.Config(Type, values, _token);

    // Dropbox keeps no type: its name is all that a file has.
    private protected override Task<IReadOnlyList<Arrived>> ArrivedAsync() => Task.FromResult<IReadOnlyList<Arrived>>(
        [.. _service.Files.Select(file => new Arrived(file.Path, file.Bytes, TypeOf(file.Path)))]);

    private protected override IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals()
    {
        yield return ("full", () => Answering(409, "insufficient_space"), Outcome<DeliveryOutcome.Broken>());
        yield return ("read only", () => Answering(409, "no_write_permission"), Outcome<DeliveryOutcome.Broken>());
        yield return ("restricted by the team", () => Answering(409, "access_restricted"), Outcome<DeliveryOutcome.Broken>());
        yield return ("missing permission", () => Answering(401, "missing_scope"), Outcome<DeliveryOutcome.Broken>());
        yield return ("suspended", () => Answering(401, "user_suspended"), Outcome<DeliveryOutcome.Broken>());
        yield return ("not for this account", () => Answering(403, "invalid_account_type"), Outcome<DeliveryOutcome.Broken>());
        yield return ("name not allowed", () => Answering(409, "disallowed_name"), Outcome<DeliveryOutcome.GiveUp>());
        yield return ("too large", () => Answering(409, "payload_too_large"), Outcome<DeliveryOutcome.GiveUp>());
        yield return ("token ended", () => Answering(401, "expired_access_token"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("damaged", () => Answering(409, "content_hash_mismatch"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("too many", () => Answering(429, "too_many_requests"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("its own error", () => Answering(500, "planted"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("broken off", BreakingOff, Outcome<DeliveryOutcome.TryAgain>());
    }

    protected override JsonObject Hang(out Task underWay)
    {
        // The first piece has arrived when the second one hangs.
        underWay = _service.Hang("POST /2/files/upload_session/finish");
        return Values();
    }

    protected override JsonObject LoseAnswer()
    {
        _service.LoseAnswer(Upload);
        return Values();
    }

    private protected override void AssertInsidePrefix(string name, Delivery delivery) =>
        Cloud.AssertInsidePrefix("/Apertur", name, delivery);

    private static string TypeOf(string path) => path.EndsWith(".jpg", StringComparison.Ordinal) ? "image/jpeg" : "";

    private JsonObject Answering(int status, string tag)
    {
        _service.RefuseBecause(Upload, new JsonObject { [".tag"] = tag }, status);
        return Values();
    }

    private JsonObject BreakingOff()
    {
        _service.On(Upload, (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        return Values();
    }
}
