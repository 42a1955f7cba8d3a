using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

/// <summary>Deliveries and configurations for tests of destinations.</summary>
internal static class Sample
{
    public static readonly string Secret = string.Concat(Enumerable.Repeat("0123456789abcdef", 4));

    public static DestinationConfig Config(IDestinationType type, JsonObject values, string? accessToken = null)
    {
        var (kept, errors) = DestinationConfig.Validate(type.Fields, values);
        Assert.Empty(errors);
        return new DestinationConfig(type.Fields, kept) { ProjectSecret = Secret, AccessToken = accessToken };
    }

    /// <summary>A delivery of <paramref name="length"/> random bytes that begin like a JPEG.</summary>
    public static Delivery Delivery(DestinationConfig config, int length = 1000, string filename = "IMG_0001.jpg")
    {
        var bytes = RandomNumberGenerator.GetBytes(length);
        byte[] start = [0xFF, 0xD8, 0xFF, 0xE0];
        start.AsSpan(0, Math.Min(4, length)).CopyTo(bytes);
        return new Delivery
        {
            Id = Guid.CreateVersion7(),
            ProjectName = "Claims",
            SessionId = Guid.NewGuid(),
            ImageId = Guid.CreateVersion7(),
            ImageIndex = 2,
            Filename = filename,
            MimeType = "image/jpeg",
            SizeBytes = length,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            ReceivedAt = new DateTimeOffset(2026, 6, 12, 23, 59, 59, TimeSpan.Zero),
            Tags = ["claim:4711", "urgent"],
            Config = config,
            OpenRead = () => new MemoryStream(bytes, writable: false),
            DownloadUrl = () => new Uri("https://photos.example/api/v1/d/abc?expires=1&signature=x+y"),
        };
    }

    /// <summary>Of a photo from which something was removed.</summary>
    public static string OriginalSha256 { get; } = new('0', 64);

    /// <summary>What a person answered, with what a header does not carry.</summary>
    public static JsonObject Answers => new() { ["name"] = "Ann  Ødegård", ["note"] = "two\nlines" };

    /// <summary>What a person says of a photo, with what a header does not carry.</summary>
    public const string Caption = "Dør  og vindu";

    public static byte[] Bytes(Delivery delivery)
    {
        using var stream = delivery.OpenRead();
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
