using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

/// <summary>One image as it lies at a destination.</summary>
internal sealed record Arrived(string Name, byte[] Bytes, string MimeType);

/// <summary>
/// What every destination type promises (see <see cref="IDestinationType"/>). A type's test class derives from this, says how
/// to look at its far end, and which refusals that end can be made to give.
/// </summary>
public abstract class DestinationConformance : IAsyncLifetime
{
    private protected OutboundHttp Http { get; } = new(allowPrivateNetworks: true);

    private protected IDestinationType Type { get; private set; } = null!;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract IDestinationType Create(OutboundHttp http);

    protected abstract Task StartAsync();

    protected abstract Task StopAsync();

    /// <summary>A configuration that works.</summary>
    protected abstract JsonObject Values();

    /// <summary>Everything at the far end, by name; a repeat that the far end can tell as one counts once.</summary>
    private protected abstract Task<IReadOnlyList<Arrived>> ArrivedAsync();

    /// <summary>Configurations or states of the far end that refuse, and the outcome each has to give.</summary>
    private protected abstract IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals();

    /// <summary>Makes a delivery stay unanswered; <paramref name="underWay"/> completes when it is under way.</summary>
    protected abstract JsonObject Hang(out Task underWay);

    /// <summary>The values of secret fields in use, none of which may show in any outcome.</summary>
    protected abstract IReadOnlyList<string> Secrets { get; }

    public async ValueTask InitializeAsync()
    {
        await StartAsync();
        Type = Create(Http);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Http.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100_001)]
    [InlineData(9_000_000)]
    public async Task Bytes_name_and_type_arrive_intact(int length)
    {
        var delivery = Sample.Delivery(Config(), length, "Été à Zürich.jpg");
        Assert.IsType<DeliveryOutcome.Accepted>(await Type.DeliverAsync(delivery, Cancellation));

        var arrived = Assert.Single(await ArrivedAsync());
        Assert.True(Sample.Bytes(delivery).AsSpan().SequenceEqual(arrived.Bytes));
        Assert.EndsWith("Été à Zürich.jpg", arrived.Name, StringComparison.Ordinal);
        Assert.Equal("image/jpeg", arrived.MimeType);
    }

    [Fact]
    public async Task The_same_delivery_twice_arrives_once()
    {
        var delivery = Sample.Delivery(Config());
        var first = await Type.DeliverAsync(delivery, Cancellation);
        var second = await Type.DeliverAsync(delivery, Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(first);
        Assert.Equal(first, second);
        Assert.Single(await ArrivedAsync());
    }

    [Fact]
    public async Task Two_images_of_one_name_both_arrive()
    {
        var one = Sample.Delivery(Config(), 500);
        var other = Sample.Delivery(one.Config, 600) with { SessionId = one.SessionId };
        Assert.All(
            await Task.WhenAll(Type.DeliverAsync(one, Cancellation), Type.DeliverAsync(other, Cancellation)),
            outcome => Assert.IsType<DeliveryOutcome.Accepted>(outcome));
        Assert.Equal([500, 600], (await ArrivedAsync()).Select(arrived => arrived.Bytes.Length).Order());
    }

    [Fact]
    public async Task Every_refusal_has_its_outcome_and_tells_no_secret()
    {
        foreach (var (what, refuse, expected) in Refusals())
        {
            var config = Config(refuse());
            var outcome = await Type.DeliverAsync(Sample.Delivery(config), Cancellation);
            Assert.True(expected == outcome.GetType(), $"{what}: {outcome}");
            Assert.All(Secrets, secret => Assert.DoesNotContain(secret, outcome.ToString(), StringComparison.Ordinal));

            refuse();
            var test = await Type.TestAsync(config, Cancellation);
            Assert.True(expected == test.GetType(), $"test, {what}: {test}");
            Assert.All(Secrets, secret => Assert.DoesNotContain(secret, test.ToString(), StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Cancellation_is_thrown_on_and_leaves_no_half_object()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var config = Config(Hang(out var underWay));
        var delivering = Type.DeliverAsync(Sample.Delivery(config, 9_000_000), stop.Token);
        await underWay.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => delivering);
        Assert.Empty(await ArrivedAsync());
    }

    [Fact]
    public async Task An_attempt_that_was_cancelled_before_it_began_sends_nothing()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Type.DeliverAsync(Sample.Delivery(Config()), stop.Token));
        Assert.Empty(await ArrivedAsync());
    }

    [Fact]
    public async Task Test_succeeds_and_leaves_nothing_behind()
    {
        Assert.IsType<DeliveryOutcome.Accepted>(await Type.TestAsync(Config(), Cancellation));
        Assert.Empty(await ArrivedAsync());
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("..")]
    [InlineData("a/../../b.jpg")]
    [InlineData("C:\\Windows\\system.ini")]
    [InlineData("a\r\nX-Evil: 1.jpg")]
    [InlineData("a\"; filename=\"b.exe")]
    [InlineData("\u202Egpj.exe")]
    [InlineData("{tag:claim}")]
    public async Task A_hostile_file_name_stays_inside_the_prefix(string filename)
    {
        var delivery = Sample.Delivery(Config(), filename: filename);
        Assert.IsType<DeliveryOutcome.Accepted>(await Type.DeliverAsync(delivery, Cancellation));
        var arrived = Assert.Single(await ArrivedAsync());
        Assert.Equal(delivery.SizeBytes, arrived.Bytes.Length);
        AssertInsidePrefix(arrived.Name, delivery);
    }

    /// <summary>That the name is one segment below where the configuration says, where names are places.</summary>
    private protected virtual void AssertInsidePrefix(string name, Delivery delivery) => Assert.NotEmpty(name);

    private protected DestinationConfig Config() => Config(Values());

    /// <summary>Validated values as the server hands them to the type, with what it adds itself.</summary>
    private protected virtual DestinationConfig Config(JsonObject values) => Sample.Config(Type, values);

    private protected static Type Outcome<T>() where T : DeliveryOutcome => typeof(T);
}
