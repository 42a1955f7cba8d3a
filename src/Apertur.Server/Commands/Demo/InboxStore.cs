using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Apertur.Server.Storage;

namespace Apertur.Server.Commands.Demo;

/// <summary>
/// The received photos in one folder: <c>ID.photo</c> with the bytes, <c>ID.json</c> with what is known about them. The JSON is
/// written last, so a photo is in the inbox wholly or not at all.
/// </summary>
internal sealed class InboxStore : IDisposable
{
    private readonly string _folder;
    private readonly TimeProvider _clock;
    private readonly ConcurrentDictionary<Guid, InboxItem> _items = new();
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public InboxStore(string folder, TimeProvider clock)
    {
        _folder = folder;
        _clock = clock;
        DurableFile.CreateDirectory(folder);
        foreach (var leftOver in Directory.GetFiles(folder, "*.incoming")) File.Delete(leftOver);
        foreach (var path in Directory.GetFiles(folder, "*.json"))
        {
            if (TryRead(path, out var item)) _items[item.Id] = item;
        }
    }

    /// <summary>Newest first.</summary>
    public IReadOnlyList<InboxItem> Items => [.. _items.Values.OrderByDescending(item => item.ReceivedAt)];

    /// <summary>Completes when the next photo is in.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    public InboxItem? Find(Guid id) => _items.GetValueOrDefault(id);

    public string PhotoPath(Guid id) => Path.Combine(_folder, $"{id}.photo");

    /// <summary>An empty file for a body that is on its way; it vanishes when it is closed.</summary>
    public FileStream NewBody() => new(Path.Combine(_folder, $"{Guid.NewGuid()}.incoming"), FileMode.CreateNew,
        FileAccess.ReadWrite, FileShare.None, 64 * 1024, FileOptions.Asynchronous | FileOptions.DeleteOnClose);

    /// <summary>
    /// Stores the photo of a body whose signature was right. The same image again changes nothing, and a test's is not kept.
    /// </summary>
    /// <exception cref="InvalidDataException">The body is malformed, or the photo is not the one its SHA-256 names.</exception>
    public async Task AddAsync(FileStream body, CancellationToken cancellationToken)
    {
        using var delivery = new InboxBody(body);
        if (delivery.ImageId == Guid.Empty)
        {
            delivery.DecodeTo(Stream.Null);
            return;
        }

        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            if (_items.ContainsKey(delivery.ImageId)) return;
            var item = Store(delivery);
            _items[item.Id] = item;
            Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    public void Dispose() => _oneAtATime.Dispose();

    private InboxItem Store(InboxBody delivery)
    {
        InboxItem item;
        using (var photo = File.Create(PhotoPath(delivery.ImageId)))
        {
            var sha256 = delivery.DecodeTo(photo);
            photo.Flush(flushToDisk: true);
            item = new InboxItem(delivery.ImageId, delivery.SessionId, delivery.FileName, delivery.MimeType,
                photo.Length, sha256, _clock.GetUtcNow());
        }

        // Syncs the folder too, and with it the photo's name.
        DurableFile.Write(Path.ChangeExtension(PhotoPath(item.Id), ".json"), JsonSerializer.SerializeToUtf8Bytes(item, JsonSerializerOptions.Web));
        return item;
    }

    private static bool TryRead(string path, [NotNullWhen(true)] out InboxItem? item)
    {
        try
        {
            using var sidecar = File.OpenRead(path);
            item = JsonSerializer.Deserialize<InboxItem>(sidecar, JsonSerializerOptions.Web);
        }
        catch (JsonException)
        {
            // Nothing that this program wrote.
            item = null;
        }

        return item is not null && File.Exists(Path.ChangeExtension(path, ".photo"));
    }
}
