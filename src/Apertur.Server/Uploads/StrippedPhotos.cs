using System.Buffers;
using System.Security.Cryptography;
using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Metadata;
using Apertur.Server.Sessions;
using Apertur.Server.Tus;

namespace Apertur.Server.Uploads;

/// <summary>
/// Frees photos of metadata before they come into the store, where only what is left ever is. As it was sent, a photo is spooled to a file among
/// those of photos in pieces, which goes at once, or with them after a crash: slow senders hold no memory. Whole ones are read back and cleaned in
/// one buffer each, a few at once.
/// </summary>
internal sealed class StrippedPhotos(FolderParts spool, Settings settings, TimeProvider clock) : IDisposable
{
    private readonly SemaphoreSlim _cleaning = new(settings.Limits.EnvelopesAtOnce);

    /// <param name="read">The photo as it is sent.</param>
    /// <param name="session">Which says what goes.</param>
    /// <param name="cancellationToken">Ends it; nothing stays.</param>
    /// <returns>What is left of it; others wait until it is disposed.</returns>
    /// <exception cref="ApiErrorException">The session does not take it, or what it asks for cannot be done with this file.</exception>
    public async Task<StrippedPhoto> ReadAsync(ReadBytes read, UploadSession session, CancellationToken cancellationToken)
    {
        var id = Guid.CreateVersion7(clock.GetUtcNow());
        try
        {
            var (type, length, sha256) = await SpoolAsync(id, read, session, cancellationToken);
            await _cleaning.WaitAsync(cancellationToken);
            var bytes = new NativeBytes((int)length);
            try
            {
                await using (var file = await spool.OpenReadAsync(id, 0, cancellationToken))
                    await file.ReadExactlyAsync(bytes.Memory, cancellationToken);
                return new StrippedPhoto(bytes, MetadataRemoval.Run(bytes.GetSpan(), type, session.Strip), sha256, _cleaning);
            }
            catch (Exception exception)
            {
                ((IDisposable)bytes).Dispose();
                _cleaning.Release();
                if (exception is InvalidDataException)
                    throw ApiErrors.MetadataNotRemovable.ToException();
                throw;
            }
        }
        finally
        {
            await spool.DeleteAsync(id, 1);
        }
    }

    public void Dispose() => _cleaning.Dispose();

    private async Task<(string Type, long Length, string Sha256)> SpoolAsync(
        Guid id, ReadBytes read, UploadSession session, CancellationToken cancellationToken)
    {
        var first = await read(ImageHeader.SniffLength, cancellationToken);
        var type = ImageIntake.TypeOf(first, session);
        var most = session.MaxImageSizeMb * 1024L * 1024;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = spool.Create(id, 0);
        for (var chunk = first; !chunk.IsEmpty; chunk = await read(ImageIntake.ChunkBytes, cancellationToken))
        {
            if (file.Length + chunk.Length > most)
                throw ApiErrors.ImageTooLarge(session.MaxImageSizeMb).ToException();
            await file.AppendAsync(chunk, cancellationToken);
            foreach (var piece in chunk)
                hash.AppendData(piece.Span);
        }

        return (type, file.Length, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}

/// <summary>A photo without its metadata, in memory.</summary>
/// <param name="bytes">It, and maybe what was cut off behind it.</param>
/// <param name="length">Bytes of it.</param>
/// <param name="originalSha256">Of what was sent.</param>
/// <param name="cleaning">Lets others go on when this one is disposed.</param>
internal sealed class StrippedPhoto(NativeBytes bytes, int length, string originalSha256, SemaphoreSlim cleaning) : IDisposable
{
    private bool _isRead;

    /// <inheritdoc cref="Upload.OriginalSha256"/>
    public string OriginalSha256 => originalSha256;

    /// <summary>Gives all of it at once.</summary>
    public ReadBytes Read => (_, _) =>
    {
        var rest = _isRead ? default : new ReadOnlySequence<byte>(bytes.Memory[..length]);
        _isRead = true;
        return ValueTask.FromResult(rest);
    };

    public void Dispose()
    {
        ((IDisposable)bytes).Dispose();
        cleaning.Release();
    }
}
