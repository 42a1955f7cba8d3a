using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Destinations;

public sealed class GcsConformanceTests : DestinationConformance
{
    private const string Upload = "POST /upload/storage/v1/b/";

    private FakeGoogle _google = null!;

    protected override IReadOnlyList<string> Secrets => ["PRIVATE KEY", "planted", "upload_id"];

    private protected override IDestinationType Create(OutboundHttp http) =>
        new GcsDestination(http, new() { GcsApi = _google.Root }, TimeProvider.System);

    protected override async Task StartAsync() => _google = await FakeGoogle.StartAsync();

    protected override async Task StopAsync() => await _google.DisposeAsync();

    protected override JsonObject Values() => new()
    {
        ["bucket"] = FakeGoogle.BucketName,
        ["serviceAccountJson"] = JsonNode.Parse(_google.ServiceAccountJson),
    };

    private protected override Task<IReadOnlyList<Arrived>> ArrivedAsync() => Task.FromResult<IReadOnlyList<Arrived>>(
        [.. _google.Objects.Select(o => new Arrived(o.Name, o.Bytes, (string)o.Resource["contentType"]!))]);

    private protected override IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals()
    {
        yield return ("no such bucket", () => With("bucket", "not-there"), Outcome<DeliveryOutcome.Broken>());
        yield return ("not for this account", () => Answering(403, "forbidden"), Outcome<DeliveryOutcome.Broken>());
        yield return ("API not enabled", () => Answering(403, "accessNotConfigured"), Outcome<DeliveryOutcome.Broken>());
        yield return ("unpaid", () => Answering(403, "accountDisabled"), Outcome<DeliveryOutcome.Broken>());
        yield return ("against a policy", () => Answering(412, "orgPolicyConstraintFailed"), Outcome<DeliveryOutcome.Broken>());
        yield return ("used up", () => Answering(403, "quotaExceeded"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("too fast", () => Answering(403, "rateLimitExceeded"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("too many", () => Answering(429, "rateLimitExceeded"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("its own error", () => Answering(500, "internalError"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("overloaded", () => Answering(503, "backendError"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("broken off", BreakingOff, Outcome<DeliveryOutcome.TryAgain>());
        yield return ("no token", () => WithKey("token_uri", "http://127.0.0.1:1/"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("another account", () => WithKey("client_email", "nobody@example.com"), Outcome<DeliveryOutcome.Broken>());
    }

    protected override JsonObject Hang(out Task underWay)
    {
        // The first piece has arrived when the second one hangs.
        _google.On("PUT /upload/storage", async (_, next) => await next());
        underWay = _google.Hang("PUT /upload/storage");
        return Values();
    }

    protected override JsonObject LoseAnswer()
    {
        _google.LoseAnswer(Upload);
        return Values();
    }

    private protected override void AssertInsidePrefix(string name, Delivery delivery) =>
        Cloud.AssertInsidePrefix("apertur", name, delivery);

    private JsonObject With(string field, JsonNode value)
    {
        var values = Values();
        values[field] = value;
        return values;
    }

    private JsonObject WithKey(string field, string value)
    {
        var key = JsonNode.Parse(_google.ServiceAccountJson)!;
        key[field] = value;
        return With("serviceAccountJson", key);
    }

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
