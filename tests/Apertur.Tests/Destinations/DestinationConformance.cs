using System.Text;
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

    /// <summary>A configuration that works, with the default template for names.</summary>
    protected abstract JsonObject Values();

    /// <summary>Everything at the far end, by name; a repeat that the far end can tell as one counts once.</summary>
    private protected abstract Task<IReadOnlyList<Arrived>> ArrivedAsync();

    /// <summary>
    /// Configurations or states of the far end that refuse, and the outcome each has to give. Each is arranged twice, for a delivery and
    /// for a test.
    /// </summary>
    private protected abstract IEnumerable<(string What, Func<JsonObject> Refuse, Type Outcome)> Refusals();

    /// <summary>
    /// Makes a delivery of several megabytes stay unanswered; <paramref name="underWay"/> completes when the far end has some of it, or
    /// its request.
    /// </summary>
    protected abstract JsonObject Hang(out Task underWay);

    /// <summary>Makes the far end take the next image, while its answer is lost.</summary>
    protected abstract JsonObject LoseAnswer();

    /// <summary>
    /// What may show in no outcome besides the secret fields of the configuration: tokens, addresses that are capabilities, and texts that
    /// the far end plants in its refusals.
    /// </summary>
    protected virtual IReadOnlyList<string> Secrets => [];

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
        var open = 0;
        var delivery = Sample.Delivery(Config(), length, "Été à Zürich.jpg");
        var outcome = await Type.DeliverAsync(
            delivery with { OpenRead = () => new CountedStream(Sample.Bytes(delivery), change => Interlocked.Add(ref open, change)) }, Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        AssertTellsNoSecret(outcome, delivery.Config);
        Assert.Equal(0, open);

        var arrived = Assert.Single(await ArrivedAsync());
        Assert.True(Sample.Bytes(delivery).AsSpan().SequenceEqual(arrived.Bytes));
        Assert.EndsWith("Été à Zürich.jpg", arrived.Name, StringComparison.Ordinal);
        Assert.Equal("image/jpeg", arrived.MimeType);
    }

    [Theory]
    [InlineData(100_001)]
    [InlineData(9_000_000)]
    public async Task An_image_that_breaks_off_before_its_end_never_arrives(int length)
    {
        var delivery = Sample.Delivery(Config(), length);
        // A type reads an image several times: to hash it, to sign it, to send it. Each of them breaks off once.
        for (var whole = 0; ; whole++)
        {
            var passes = 0;
            var breaking = delivery with
            {
                OpenRead = () => new BreakingStream(Sample.Bytes(delivery), () => Interlocked.Increment(ref passes) > whole),
            };
            DeliveryOutcome? outcome = null;
            try
            {
                outcome = await Type.DeliverAsync(breaking, Cancellation);
            }
            catch (StoredImageException)
            {
                // How a type should leave it.
            }

            if (passes <= whole)
            {
                Assert.IsType<DeliveryOutcome.Accepted>(outcome);
                Assert.Equal(Sample.Bytes(delivery), Assert.Single(await ArrivedAsync()).Bytes);
                return;
            }

            Assert.False(outcome is DeliveryOutcome.Accepted, $"Accepted, though reading broke off in pass {whole + 1}.");
            Assert.Empty(await ArrivedAsync());
        }
    }

    [Fact]
    public async Task The_same_delivery_twice_arrives_once()
    {
        var delivery = Sample.Delivery(Config());
        var first = Assert.IsType<DeliveryOutcome.Accepted>(await Type.DeliverAsync(delivery, Cancellation));
        // After a crash nothing is remembered but what the far end has.
        var second = Assert.IsType<DeliveryOutcome.Accepted>(await Create(Http).DeliverAsync(delivery, Cancellation));
        Assert.Equal(first.Reference, second.Reference);
        Assert.Single(await ArrivedAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_image_whose_answer_was_lost_arrives_once(bool keepsResume)
    {
        var attempts = new Cloud.Attempts(Type, Sample.Delivery(Config(LoseAnswer())));
        Assert.IsType<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        var again = attempts.Delivery with { Resume = keepsResume ? attempts.Kept : null };
        Assert.IsType<DeliveryOutcome.Accepted>(await Create(Http).DeliverAsync(again, Cancellation));
        Assert.Equal(Sample.Bytes(again), Assert.Single(await ArrivedAsync()).Bytes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_images_of_one_name_and_length_both_arrive(bool atOnce)
    {
        var one = Sample.Delivery(Config());
        var other = Sample.Delivery(one.Config) with { SessionId = one.SessionId };
        var first = Type.DeliverAsync(one, Cancellation);
        if (!atOnce)
            await first;
        Assert.All(
            await Task.WhenAll(first, Type.DeliverAsync(other, Cancellation)),
            outcome => Assert.IsType<DeliveryOutcome.Accepted>(outcome));
        Assert.Equal(
            new[] { one, other }.Select(delivery => Convert.ToHexString(Sample.Bytes(delivery))).Order(),
            (await ArrivedAsync()).Select(arrived => Convert.ToHexString(arrived.Bytes)).Order());
    }

    [Fact]
    public async Task Every_refusal_has_its_outcome_and_tells_no_secret()
    {
        foreach (var (what, refuse, expected) in Refusals())
        {
            var config = Config(refuse());
            var outcome = await Type.DeliverAsync(Sample.Delivery(config), Cancellation);
            Assert.True(expected == outcome.GetType(), $"{what}: {outcome}");
            AssertTellsNoSecret(outcome, config);

            refuse();
            var test = await Type.TestAsync(config, Cancellation);
            Assert.True(expected == test.GetType(), $"test, {what}: {test}");
            AssertTellsNoSecret(test, config);
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
        var config = Config();
        var outcome = await Type.TestAsync(config, Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        AssertTellsNoSecret(outcome, config);
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
    private protected abstract void AssertInsidePrefix(string name, Delivery delivery);

    private protected DestinationConfig Config() => Config(Values());

    /// <summary>Validated values as the server hands them to the type, with what it adds itself.</summary>
    private protected virtual DestinationConfig Config(JsonObject values) => Sample.Config(Type, values);

    private protected static Type Outcome<T>() where T : DeliveryOutcome => typeof(T);

    private void AssertTellsNoSecret(DeliveryOutcome outcome, DestinationConfig config)
    {
        var told = outcome.ToString();
        var own = Type.Fields.Where(field => field.Secret).SelectMany(field => TextsOf(config, field));
        foreach (var secret in own.Concat(Secrets).SelectMany(FormsOf))
            Assert.DoesNotContain(secret, told, StringComparison.Ordinal);
    }

    private static IEnumerable<string> TextsOf(DestinationConfig config, ConfigField field) => field.Kind switch
    {
        ConfigFieldKind.Map => config.Map(field.Name).Values,
        // A key file: any line of the key would do.
        ConfigFieldKind.Document => (config.Text(field.Name) ?? "").Split("\\n").Where(line => line.Length > 20),
        _ => config.Text(field.Name) is { Length: > 0 } text ? [text] : [],
    };

    /// <summary>As it is, as part of an address, and inside of the Base64 of anything, at whichever of three places it begins.</summary>
    private static IEnumerable<string> FormsOf(string secret)
    {
        yield return secret;
        yield return Uri.EscapeDataString(secret);
        for (var before = 0; before < 3; before++)
        {
            var bytes = new byte[before].Concat(Encoding.UTF8.GetBytes(secret)).ToArray();
            var whole = bytes.Length / 3 * 4;
            if (whole > 12)
                yield return Convert.ToBase64String(bytes)[4..whole];
        }
    }

    /// <summary>Throws in place of the last bytes, as the server's stream does when they are not what was received.</summary>
    private sealed class BreakingStream(byte[] bytes, Func<bool> breaks) : MemoryStream(bytes, writable: false)
    {
        // Every way to read a derived MemoryStream comes through here.
        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = base.Read(buffer, offset, count);
            return read > 0 && Position == Length && breaks() ? throw new StoredImageException(ImageFault.Altered) : read;
        }
    }

    private sealed class CountedStream : MemoryStream
    {
        private readonly Action<int> _count;

        public CountedStream(byte[] bytes, Action<int> count)
            : base(bytes, writable: false)
        {
            _count = count;
            count(1);
        }

        private bool _isClosed;

        protected override void Dispose(bool disposing)
        {
            if (!_isClosed)
                _count(-1);
            _isClosed = true;
            base.Dispose(disposing);
        }
    }
}
