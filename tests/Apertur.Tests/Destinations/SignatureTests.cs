using System.Security.Cryptography;
using System.Text;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

public sealed class SignatureTests
{
    private const long Timestamp = 1_800_000_000;

    private static ReadOnlySpan<byte> Body => "{\"a\":1}"u8;

    [Fact]
    public void Plain_signature_matches_the_published_vector()
    {
        using var signature = Signature.OfBody(Sample.Secret);
        Assert.Equal(
            "sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f", signature.Append(Body).Finish());
    }

    [Fact]
    public void Timestamped_signature_matches_the_published_vector()
    {
        using var signature = Signature.OfTimestampedBody(Sample.Secret, Timestamp);
        Assert.Equal(
            "sha256=c6f33c81c1c30115aebe12506e98135c5225156b4156f9f5c0de95129dd55e46", signature.Append(Body).Finish());
    }

    [Fact]
    public void Svix_signature_matches_the_published_vector()
    {
        using var signature = Signature.Svix(Sample.Secret, "msg_1", Timestamp);
        Assert.Equal("v1,EP0ItZDH5jUsuDVKt33wBFOZSbHCXTePntFruhhTZ18=", signature.Append(Body).Finish());
    }

    [Fact]
    public void Standard_signature_is_keyed_by_the_bytes_of_the_secret()
    {
        using var signature = Signature.StandardWebhooks("a secret, not hex", "msg_1", Timestamp);
        var expected = HMACSHA256.HashData(
            Encoding.UTF8.GetBytes("a secret, not hex"), Encoding.UTF8.GetBytes("msg_1.1800000000.{\"a\":1}"));
        Assert.Equal("v1," + Convert.ToBase64String(expected), signature.Append(Body).Finish());
    }

    [Fact]
    public void A_body_in_pieces_is_signed_like_the_whole()
    {
        using var signature = Signature.OfBody(Sample.Secret);
        foreach (var character in Body)
            signature.Append([character]);
        Assert.Equal("sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f", signature.Finish());
    }

    [Fact]
    public void A_svix_secret_that_is_not_hex_is_refused() =>
        Assert.Throws<FormatException>(() => Signature.Svix("not hex", "msg_1", Timestamp));
}
