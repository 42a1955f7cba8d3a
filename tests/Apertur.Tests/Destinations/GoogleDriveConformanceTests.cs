using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Destinations;

public sealed class GoogleDriveConformanceTests : DestinationConformance
{
    private const string Upload = "POST /upload/drive/v3/files";

    private FakeGoogle _google = null!;
    private string _token = "";

    protected override IReadOnlyList<string> Secrets => ["planted", "upload_id", _token];

    private protected override IDestinationType Create(OutboundHttp http) => GoogleDriveDestinationTests.Drive(http, _google);

    protected override async Task StartAsync()
    {
        _google = await FakeGoogle.StartAsync();
        _token = _google.OAuth.IssueAccessToken();
    }

    protected override async Task StopAsync() => await _google.DisposeAsync();

    protected override JsonObject Values() => [];

    private protected override DestinationConfig Config(JsonObject values) => Sample.Config(Type, values, _token);

    private protected override Task<IReadOnlyList<Arrived>> ArrivedAsync() => Task.FromResult<IReadOnlyList<Arrived>>(
        [.. _google.Files.Select(file => new Arrived(_google.PathOf(file), file.Bytes, (string)file.Resource["mimeType"]!))]);

    private protected override IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals()
    {
        yield return ("no such folder", () => new JsonObject { ["folderId"] = "not-there" }, Outcome<DeliveryOutcome.Broken>());
        yield return ("full", () => Answering(403, "storageQuotaExceeded"), Outcome<DeliveryOutcome.Broken>());
        yield return (
            "full folder", () => Answering(403, "numChildrenInNonRootLimitExceeded"), Outcome<DeliveryOutcome.Broken>());
        yield return ("too large", () => Answering(413, "uploadTooLarge"), Outcome<DeliveryOutcome.GiveUp>());
        yield return ("read only", () => Answering(403, "insufficientFilePermissions"), Outcome<DeliveryOutcome.Broken>());
        yield return ("API not enabled", () => Answering(403, "accessNotConfigured"), Outcome<DeliveryOutcome.Broken>());
        yield return ("too fast", () => Answering(403, "userRateLimitExceeded"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("too many", () => Answering(429, "rateLimitExceeded"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("token ended", () => Answering(401, "authError"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("its own error", () => Answering(500, "backendError"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("broken off", BreakingOff, Outcome<DeliveryOutcome.TryAgain>());
    }

    protected override JsonObject Hang(out Task underWay)
    {
        // The first piece has arrived when the second one hangs.
        _google.On("PUT /upload/drive", async (_, next) => await next());
        underWay = _google.Hang("PUT /upload/drive");
        return Values();
    }

    protected override JsonObject LoseAnswer()
    {
        _google.LoseAnswer(Upload);
        return Values();
    }

    private protected override void AssertInsidePrefix(string name, Delivery delivery) =>
        Cloud.AssertInsidePrefix("Apertur", name, delivery);

    private JsonObject Answering(int status, string reason)
    {
        _google.RefuseBecause(Upload, status, reason);
        return Values();
    }

    private JsonObject BreakingOff()
    {
        _google.On(Upload, (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        return Values();
    }
}
