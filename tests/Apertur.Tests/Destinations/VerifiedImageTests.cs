using System.Security.Cryptography;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>The stream that destinations and downloads get: the received bytes, or an exception.</summary>
public sealed class VerifiedImageTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private int _opened;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Path => _folder.File("image");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(300_001)]
    public async Task Bytes_are_the_same_from_wherever_they_are_read(int length)
    {
        var (image, bytes) = await VerifyAsync(length);
        var random = new Random(length);
        await using var stream = image.OpenRead();
        Assert.Equal(length, stream.Length);
        for (var i = 0; i < 200; i++)
        {
            stream.Position = random.Next(length + 1);
            var at = (int)stream.Position;
            var buffer = new byte[random.Next(1, 200_000)];
            var read = i % 2 == 0
                ? await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, Cancellation)
                : stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            Assert.True(bytes.AsSpan(at, Math.Min(buffer.Length, length - at)).SequenceEqual(buffer.AsSpan(0, read)));
        }

        // To be looked at, and to be read. One of a block is kept.
        Assert.Equal(length > 65_536 ? 2 : 1, _opened);
    }

    [Fact]
    public async Task Stream_that_was_closed_gives_nothing_and_leaves_no_file_open()
    {
        var (image, bytes) = await VerifyAsync(100_000);
        var stream = image.OpenRead();
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Position = -1);
        Assert.Equal(bytes[0], stream.ReadByte());
        await stream.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => stream.ReadByte());

        // Closed while its file is being opened.
        var opening = new TaskCompletionSource<Stream>();
        var open = Open;
        var slow = await VerifiedImage.VerifyAsync((position, cancellation) => open(position, cancellation), bytes.Length, Hash(bytes), Cancellation);
        open = (_, _) => opening.Task;
        var late = slow.OpenRead();
        var reading = late.ReadAsync(new byte[1], Cancellation).AsTask();
        await late.DisposeAsync();
        var file = await Open(0, Cancellation);
        opening.SetResult(file);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => reading);
        Assert.False(file.CanRead);
    }

    [Theory]
    [InlineData(200_000, -1, ImageFault.Truncated)]
    [InlineData(200_000, 0, ImageFault.Altered)]
    [InlineData(200_000, 1, ImageFault.Extended)]
    [InlineData(2_000, -1, ImageFault.Truncated)]
    [InlineData(2_000, 0, ImageFault.Altered)]
    [InlineData(2_000, 1, ImageFault.Extended)]
    public async Task File_that_is_not_what_was_received_gives_no_byte(int length, int more, ImageFault expected)
    {
        var bytes = RandomNumberGenerator.GetBytes(length);
        var stored = more switch { < 0 => bytes[..^1], 0 => Flip(bytes, length - 1), _ => [.. bytes, 0] };
        await File.WriteAllBytesAsync(Path, stored, Cancellation);

        var thrown = await Assert.ThrowsAsync<StoredImageException>(
            () => VerifiedImage.VerifyAsync(Open, bytes.Length, Hash(bytes), Cancellation));

        Assert.Equal(expected, thrown.Fault);
    }

    [Fact]
    public async Task Missing_file_is_told_from_one_that_cannot_be_read()
    {
        var (image, bytes) = await VerifyAsync(100_000);
        File.Delete(Path);

        await using var stream = image.OpenRead();
        Assert.Equal(ImageFault.Missing, Assert.Throws<StoredImageException>(() => stream.ReadByte()).Fault);
        Assert.Equal(ImageFault.Missing, (await Assert.ThrowsAsync<StoredImageException>(() => stream.CopyToAsync(Stream.Null, Cancellation))).Fault);
        foreach (var (exception, fault) in new (Exception, ImageFault)[]
        {
            (new FileNotFoundException(), ImageFault.Missing), (new DirectoryNotFoundException(), ImageFault.Missing),
            (new EndOfStreamException(), ImageFault.Truncated), (new IOException("EIO"), ImageFault.Unreadable),
            (new UnauthorizedAccessException(), ImageFault.Unreadable),
        })
        {
            Assert.Equal(fault, (await Assert.ThrowsAsync<StoredImageException>(
                () => VerifiedImage.VerifyAsync((_, _) => throw exception, bytes.Length, Hash(bytes), Cancellation))).Fault);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task File_that_changes_later_breaks_off_before_the_change(bool truncated)
    {
        var (image, bytes) = await VerifyAsync(300_000);
        await using var stream = image.OpenRead();
        await File.WriteAllBytesAsync(Path, truncated ? bytes[..250_000] : Flip(bytes, 250_000), Cancellation);

        using var read = new MemoryStream();
        var thrown = await Assert.ThrowsAsync<StoredImageException>(() => stream.CopyToAsync(read, Cancellation));

        Assert.Equal(truncated ? ImageFault.Truncated : ImageFault.Altered, thrown.Fault);
        Assert.InRange(read.Length, 1, 250_000);
        Assert.True(bytes.AsSpan(0, (int)read.Length).SequenceEqual(read.ToArray()));
        stream.Position = 250_000;
        Assert.Throws<StoredImageException>(() => stream.Read(new byte[1]));
    }

    private async Task<(VerifiedImage Image, byte[] Bytes)> VerifyAsync(int length)
    {
        var bytes = RandomNumberGenerator.GetBytes(length);
        await File.WriteAllBytesAsync(Path, bytes, Cancellation);
        return (await VerifiedImage.VerifyAsync(Open, length, Hash(bytes), Cancellation), bytes);
    }

    private Task<Stream> Open(long position, CancellationToken cancellationToken)
    {
        _opened++;
        return Task.FromResult<Stream>(
            new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0, FileOptions.Asynchronous)
            {
                Position = position,
            });
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        var flipped = bytes.ToArray();
        flipped[at] ^= 0x10;
        return flipped;
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
