using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

public sealed class SwiftS3ConformanceTests() : S3ConformanceTests(S3Service.Swift);

public sealed class CephS3ConformanceTests() : S3ConformanceTests(S3Service.Ceph);

public abstract class S3ConformanceTests : DestinationConformance
{
    private readonly S3Service _service;
    private Bucket _bucket = null!;
    private Relay _relay = null!;

    protected S3ConformanceTests(S3Service service) => _service = service;

    // The far end plants it in its refusals.
    protected override IReadOnlyList<string> Secrets { get; } = ["wrong-secret-key"];

    private protected override IDestinationType Create(OutboundHttp http) => new S3Destination(http, TimeProvider.System);

    protected override async Task StartAsync()
    {
        _bucket = await Bucket.MakeAsync(_service);
        _relay = await Relay.StartAsync(_bucket.Endpoint);
    }

    protected override async Task StopAsync()
    {
        if (_relay is not null)
            await _relay.DisposeAsync();
        _bucket?.Dispose();
    }

    protected override JsonObject Values() => _bucket.Config();

    private protected override async Task<IReadOnlyList<Arrived>> ArrivedAsync()
    {
        Assert.Empty(await _bucket.UnfinishedUploadsAsync());
        var arrived = new List<Arrived>();
        foreach (var key in await _bucket.KeysAsync())
        {
            var (bytes, type, _) = await _bucket.ReadAsync(key);
            arrived.Add(new Arrived(key, bytes, type));
        }

        return arrived;
    }

    private protected override IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals()
    {
        yield return ("no such bucket", () => With("bucket", "not-there-" + Guid.NewGuid()), Outcome<DeliveryOutcome.Broken>());
        yield return ("wrong key id", () => With("accessKeyId", "test:nobody"), Outcome<DeliveryOutcome.Broken>());
        yield return ("wrong secret", () => With("secretAccessKey", "wrong-secret-key"), Outcome<DeliveryOutcome.Broken>());
        yield return ("wrong region", () => Answering(400, "AuthorizationHeaderMalformed"), Outcome<DeliveryOutcome.Broken>());
        yield return ("nobody listens", () => With("endpoint", "http://127.0.0.1:1"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("overloaded", () => Answering(503, "SlowDown"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("its own error", () => Answering(500, "InternalError"), Outcome<DeliveryOutcome.TryAgain>());
        yield return ("not for this key", () => Answering(403, "AccessDenied"), Outcome<DeliveryOutcome.Broken>());
        yield return ("unpaid", () => Answering(403, "AccountProblem"), Outcome<DeliveryOutcome.Broken>());
        yield return ("full", () => Answering(403, "QuotaExceeded"), Outcome<DeliveryOutcome.Broken>());
        yield return ("full disks", () => Answering(507, "XMinioStorageFull"), Outcome<DeliveryOutcome.Broken>());
        yield return ("full by order", () => Answering(400, "XMinioAdminBucketQuotaExceeded"), Outcome<DeliveryOutcome.Broken>());
        yield return ("too large", () => Answering(400, "EntityTooLarge"), Outcome<DeliveryOutcome.GiveUp>());
        yield return ("elsewhere", () => Answering(301, "PermanentRedirect"), Outcome<DeliveryOutcome.Broken>());
        yield return ("not an S3 service", () => Answering(405, "<html>wrong-secret-key"), Outcome<DeliveryOutcome.TryAgain>());
    }

    protected override JsonObject Hang(out Task underWay)
    {
        // The first part has arrived when the second one hangs.
        underWay = _relay.Hang(request => request.Query["partNumber"] == "2");
        return With("endpoint", _relay.Endpoint);
    }

    protected override JsonObject LoseAnswer()
    {
        _relay.LoseReply(request => request.Method == "PUT");
        return With("endpoint", _relay.Endpoint);
    }

    private protected override void AssertInsidePrefix(string name, Delivery delivery)
    {
        var prefix = $"apertur/2026-06-12/{delivery.SessionId}/2-";
        Assert.StartsWith(prefix, name, StringComparison.Ordinal);
        Assert.DoesNotContain('/', name[prefix.Length..]);
        Assert.DoesNotContain(name, char.IsControl);
    }

    private JsonObject With(string field, string value) => _bucket.Config(new JsonObject { [field] = value });

    private JsonObject Answering(int status, string code)
    {
        _relay.Answer(status, code);
        return With("endpoint", _relay.Endpoint);
    }
}
