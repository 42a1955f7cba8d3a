namespace Apertur.Destinations;

/// <summary>The image that a destination's test sends: a PNG of one white pixel.</summary>
internal static class TestImage
{
    private const string Sha256 = "9853e99cb7e9817f7ee8b6fb9ade7c8e023d2520647034a098f7f85ed81e9cb0";

    private const string MimeType = "image/png";

    private static readonly byte[] _png = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4//8/AAX+Av4zEpUUAAAAAElFTkSuQmCC");

    /// <summary>
    /// A delivery of it: no session, no image has an id of all zeros, so no receiver can take it for a real one.
    /// </summary>
    public static Delivery Delivery(DestinationConfig config, TimeProvider clock) => new()
    {
        Id = Guid.CreateVersion7(clock.GetUtcNow()),
        ProjectName = "apertur-test",
        SessionId = Guid.Empty,
        ImageId = Guid.Empty,
        ImageIndex = 0,
        Filename = "apertur-test.png",
        MimeType = MimeType,
        SizeBytes = _png.Length,
        Sha256 = Sha256,
        ReceivedAt = clock.GetUtcNow(),
        Tags = ["apertur:test"],
        Config = config,
        OpenRead = () => new MemoryStream(_png, writable: false),
        // The pixel is stored nowhere; an address that holds it whole (RFC 2397) needs no server.
        DownloadUrl = () => new Uri($"data:{MimeType};base64,{Convert.ToBase64String(_png)}"),
    };
}
