using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

/// <summary>What tests of the cloud destinations share.</summary>
internal static class Cloud
{
    public const int Small = 100_000;

    /// <summary>More than two requests of a session hold, and no multiple of anything.</summary>
    public const int Large = 20_000_001;

    /// <summary>Calls a destination as the server does: what it keeps in one attempt is there in the next.</summary>
    public sealed class Attempts(IDestinationType type, Delivery delivery)
    {
        public string? Kept { get; private set; }

        public Delivery Delivery => delivery with
        {
            Resume = Kept,
            SaveResume = (kept, _) =>
            {
                Assert.InRange(kept.Length, 1, 4096);
                Kept = kept;
                return Task.CompletedTask;
            },
        };

        public Task<DeliveryOutcome> NextAsync() => type.DeliverAsync(Delivery, TestContext.Current.CancellationToken);
    }

    public static T Is<T>(DeliveryOutcome outcome)
        where T : DeliveryOutcome
    {
        Assert.DoesNotContain("planted", outcome.ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("upload_id", outcome.ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("pid_upload", outcome.ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.True(outcome is T, $"{typeof(T).Name} was expected, not: {outcome}");
        return (T)outcome;
    }

    /// <summary>That a path is the default template's, with the file's name as one segment of it.</summary>
    public static void AssertInsidePrefix(string top, string path, Delivery delivery)
    {
        var prefix = $"{top}/2026-06-12/{delivery.SessionId}/2-";
        Assert.StartsWith(prefix, path, StringComparison.Ordinal);
        Assert.DoesNotContain('/', path[prefix.Length..]);
        Assert.DoesNotContain(path, char.IsControl);
    }
}
