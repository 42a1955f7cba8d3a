using System.Buffers;
using System.Security.Cryptography;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;

namespace Apertur.Tests.Blobs;

/// <summary>What every place for blobs does alike. A subclass for each of them.</summary>
public abstract class BlobsConformance
{
    // More than one part of an object store, and no multiple of anything.
    private const int LargeBytes = 9_000_001;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract IBlobs Blobs { get; }

    private protected BlobStore Store => new(Blobs);

    private protected static byte[] Bytes(int count, int seed = 3)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private protected async Task<Guid> StoreAsync(byte[] bytes, DateTimeOffset? at = null)
    {
        var id = at is { } time ? Guid.CreateVersion7(time) : Guid.CreateVersion7();
        await using var writer = Store.Create(id);
        await FillAsync(writer, bytes);
        await writer.SyncAsync(Cancellation);
        writer.Keep();
        return id;
    }

    private protected async Task<byte[]> ReadAsync(string key, long position = 0)
    {
        await using var stream = await Blobs.OpenReadAsync(key, position, Cancellation);
        using var read = new MemoryStream();
        await stream.CopyToAsync(read, Cancellation);
        return read.ToArray();
    }

    private protected async Task<IReadOnlyList<StoredFile>> ListAsync(string folder = "") =>
        await Blobs.ListAsync(folder, Cancellation).ToListAsync(Cancellation);

    /// <summary>In pieces of which none is as long as another thing's.</summary>
    private protected static async Task FillAsync(BlobWriter writer, byte[] bytes)
    {
        for (var at = 0; at < bytes.Length; at += 300_007)
            await writer.AppendAsync(Segments(bytes[at..Math.Min(bytes.Length, at + 300_007)]), Cancellation);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100_000)]
    [InlineData(8 * 1024 * 1024)]
    [InlineData(LargeBytes)]
    [InlineData(16 * 1024 * 1024)]
    public async Task Bytes_come_back_with_their_length_and_hash(int count)
    {
        var bytes = Bytes(count);
        var id = Guid.CreateVersion7();
        await using (var writer = Store.Create(id))
        {
            await FillAsync(writer, bytes);
            await writer.SyncAsync(Cancellation);
            Assert.Equal(bytes.Length, writer.Length);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), writer.Sha256);
            writer.Keep();
        }

        Assert.Equal(bytes, await ReadAsync(BlobStore.KeyOf(id)));
        Assert.Equal(bytes[(count / 2)..], await ReadAsync(BlobStore.KeyOf(id), count / 2));
        Assert.Equal(count, await Store.LengthOfAsync(id, Cancellation));
    }

    [Fact]
    public async Task Blob_is_read_from_wherever_one_wants()
    {
        var bytes = Bytes(400_000);
        var id = await StoreAsync(bytes);
        await using var stream = await Blobs.OpenReadAsync(BlobStore.KeyOf(id), 1000, Cancellation);
        Assert.Equal(bytes.Length, stream.Length);
        Assert.Equal(1000, stream.Position);
        var random = new Random(5);
        for (var i = 0; i < 20; i++)
        {
            // Some go on where the last one ended.
            if (i % 3 > 0)
                stream.Position = random.Next(bytes.Length + 1);
            var at = (int)stream.Position;
            var buffer = new byte[random.Next(1, 100_000)];
            var read = i % 2 == 0
                ? await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, Cancellation)
                : stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            Assert.True(bytes.AsSpan(at, Math.Min(buffer.Length, bytes.Length - at)).SequenceEqual(buffer.AsSpan(0, read)));
        }
    }

    [Fact]
    public async Task Place_follows_from_the_id_alone()
    {
        var id = await StoreAsync([1], new DateTimeOffset(2026, 2, 28, 23, 59, 59, TimeSpan.Zero));
        Assert.Equal([$"2026-02-28/{id}"], (await ListAsync()).Select(file => file.Key));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(LargeBytes)]
    public async Task Image_that_is_not_kept_leaves_nothing_behind(int count)
    {
        await using (var begun = Store.Create(Guid.CreateVersion7()))
            await FillAsync(begun, Bytes(count));
        await using (var synced = Store.Create(Guid.CreateVersion7()))
        {
            await FillAsync(synced, Bytes(count));
            await synced.SyncAsync(Cancellation);
        }

        await using (var discarded = Store.Create(Guid.CreateVersion7()))
        {
            await FillAsync(discarded, Bytes(count));
            await discarded.SyncAsync(Cancellation);
            discarded.Keep();
            discarded.Discard();
        }

        Assert.Empty(await ListAsync());
        Assert.Empty(await UnfinishedAsync());
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(LargeBytes)]
    public async Task What_was_appended_can_be_read_back_before_it_is_kept(int count)
    {
        var bytes = Bytes(count);
        await using var writer = Store.Create(Guid.CreateVersion7());
        await FillAsync(writer, bytes);
        var all = new byte[count];
        await writer.ReadAllAsync(all, Cancellation);
        Assert.Equal(bytes, all);
        foreach (var at in new[] { 0, count - 1, count / 2, count - 300_000, 5 }.Where(at => at >= 0))
        {
            var buffer = new byte[64];
            if (writer.Read(buffer, at) < 0)
                await writer.LoadAsync(at, Cancellation);
            var read = writer.Read(buffer, at);
            Assert.Equal(Math.Min(64, count - at), Math.Min(64, read));
            Assert.True(bytes.AsSpan(at, read).SequenceEqual(buffer.AsSpan(0, read)));
        }

        Assert.Equal(0, writer.Read(new byte[1], count));
    }

    [Theory]
    [InlineData("plain.jpg", ImageHeader.Jpeg, 33, 21)]
    [InlineData("portrait.heic", ImageHeader.Heic, 64, 40)]
    public async Task Size_of_a_picture_whose_header_stands_behind_megabytes_is_found(string photo, string type, int width, int height)
    {
        var picture = await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "Photos", photo), Cancellation);
        // Segments and boxes that readers pass over.
        byte[] padded = type == ImageHeader.Jpeg
            ? [.. picture[..2], .. Enumerable.Range(0, 300).SelectMany(_ => (byte[])[0xFF, 0xEF, 0xFF, 0xFF, .. new byte[65_533]]), .. picture[2..]]
            : [.. picture[..picture[3]], 0, 0x90, 0, 0, (byte)'f', (byte)'r', (byte)'e', (byte)'e', .. new byte[0x900000 - 8], .. picture[picture[3]..]];
        await using var writer = Store.Create(Guid.CreateVersion7());
        await FillAsync(writer, padded);

        Assert.Equal(new ImageSize(width, height), await ImageHeader.SizeOfAsync(writer, type, Cancellation));
    }

    [Fact]
    public async Task Deleted_image_is_gone_with_its_thumbnail_for_new_readers()
    {
        var id = await StoreAsync([1, 2, 3]);
        await Store.WriteThumbnailAsync(id, new byte[] { 4, 5 }, Cancellation);
        Assert.True(await Store.ExistsAsync(id, Cancellation));
        await using (var thumbnail = await Store.OpenThumbnailAsync(id, Cancellation))
            Assert.Equal(2, thumbnail!.Length);

        await Store.DeleteAsync(id, Cancellation);
        await Store.DeleteAsync(id, Cancellation);

        Assert.False(await Store.ExistsAsync(id, Cancellation));
        Assert.Null(await Store.OpenThumbnailAsync(id, Cancellation));
        await Assert.ThrowsAsync<FileNotFoundException>(() => Store.OpenReadAsync(id, 0, Cancellation));
        await Store.WriteThumbnailAsync(id, new byte[] { 4, 5 }, Cancellation);
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public async Task Ids_of_days_without_images_are_absent()
    {
        var id = Guid.CreateVersion7(new DateTimeOffset(2001, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await Store.DeleteAsync(id, Cancellation);
        Assert.False(await Store.ExistsAsync(id, Cancellation));
        Assert.Contains(
            (await Assert.ThrowsAnyAsync<IOException>(() => Store.OpenReadAsync(id, 0, Cancellation))).GetType(),
            new[] { typeof(FileNotFoundException), typeof(DirectoryNotFoundException) });
        Assert.False(await Store.ExistsAsync(new Guid("ffffffff-ffff-7fff-bfff-ffffffffffff"), Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.ExistsAsync(Guid.NewGuid(), Cancellation));
    }

    [Fact]
    public async Task Enumeration_names_every_image_and_nothing_else()
    {
        var later = await StoreAsync([1, 2], new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
        var sooner = await StoreAsync([1], new DateTimeOffset(2026, 2, 1, 0, 0, 0, TimeSpan.Zero));
        await Store.WriteThumbnailAsync(later, new byte[] { 4, 5 }, Cancellation);
        await Blobs.WriteAsync("owner", new byte[] { 1 }, overwrite: false, Cancellation);
        await Blobs.WriteAsync("2026-03-01/notes.txt", new byte[] { 1 }, overwrite: false, Cancellation);
        await Blobs.WriteAsync($"2026-03-01/{Guid.NewGuid()}", new byte[] { 1 }, overwrite: false, Cancellation);
        Assert.True(await Blobs.MoveAsync($"2026-02-01/{sooner}", $"quarantine/2026-03-01/{sooner}", Cancellation));
        var again = await StoreAsync([1, 2, 3], new DateTimeOffset(2026, 2, 2, 0, 0, 0, TimeSpan.Zero));

        var found = await Store.EnumerateAsync(Cancellation).ToListAsync(Cancellation);

        Assert.Equal([(again, 3), (later, 2)], found.Select(blob => (blob.Id, blob.Length)));
        Assert.All(found, blob => Assert.InRange(blob.WrittenAt, TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddMinutes(5)));
        Assert.Equal([$"quarantine/2026-03-01/{sooner}"], (await ListAsync("quarantine")).Select(file => file.Key));
        Assert.Empty(await ListAsync("quarantine/2026-03-02"));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(LargeBytes)]
    public async Task Moved_blob_is_in_its_new_place_only(int count)
    {
        var bytes = Bytes(count);
        var key = BlobStore.KeyOf(await StoreAsync(bytes));
        var newKey = $"quarantine/2026-02-28/{Guid.NewGuid()}";

        Assert.True(await Blobs.MoveAsync(key, newKey, Cancellation));

        Assert.Equal([newKey], (await ListAsync()).Select(file => file.Key));
        Assert.Equal(bytes, await ReadAsync(newKey));
        Assert.False(await Blobs.MoveAsync(key, newKey, Cancellation));
        Assert.True(await Blobs.MoveAsync(newKey, key, Cancellation));
        Assert.Equal(bytes, await ReadAsync(key));
        await Blobs.DeleteAsync(key, Cancellation);
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public async Task Small_blob_is_replaced_only_when_it_may_be()
    {
        Assert.True(await Blobs.WriteAsync("owner", new byte[] { 1 }, overwrite: false, Cancellation));
        Assert.False(await Blobs.WriteAsync("owner", new byte[] { 2, 2 }, overwrite: false, Cancellation));
        Assert.Equal([1], await ReadAsync("owner"));
        Assert.True(await Blobs.WriteAsync("owner", new byte[] { 3, 3 }, overwrite: true, Cancellation));
        Assert.Equal([3, 3], await ReadAsync("owner"));
    }

    [Fact]
    public async Task Many_uploads_at_once_are_all_stored()
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(() => StoreAsync([(byte)i]))));
        Assert.Equal(ids.Order(), (await Store.EnumerateAsync(Cancellation).ToListAsync(Cancellation)).Select(blob => blob.Id).Order());
    }

    [Fact]
    public async Task Health_check_passes_and_leaves_no_image_behind()
    {
        Assert.False(Blobs.IsProven);
        await Blobs.CheckAsync(Cancellation);
        Assert.True(Blobs.IsProven);
        Blobs.RequireRoom();
        Assert.Empty(await Store.EnumerateAsync(Cancellation).ToListAsync(Cancellation));
    }

    /// <summary>What a store keeps of uploads that never ended, and that no list shows.</summary>
    private protected virtual Task<IReadOnlyList<string>> UnfinishedAsync() => Task.FromResult<IReadOnlyList<string>>([]);

    /// <summary>The same bytes in pieces of 4 kB, as a pipe hands them out.</summary>
    private static ReadOnlySequence<byte> Segments(byte[] bytes)
    {
        var first = new Piece(bytes.AsMemory(0, Math.Min(4096, bytes.Length)), 0);
        var last = first;
        for (var at = 4096; at < bytes.Length; at += 4096)
            last = last.Then(bytes.AsMemory(at, Math.Min(4096, bytes.Length - at)));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Piece Then(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
