using System.Security.Cryptography;
using Apertur.Server.Blobs;
using Apertur.Server.Encryption;

namespace Apertur.Server.Uploads;

/// <summary>A file that no row names, and what its own bytes say of it.</summary>
/// <param name="Sha256">Null when the file cannot be read.</param>
/// <param name="MimeType">Null when it is no photo that could have been received.</param>
/// <param name="Size">In pixels; null for what is encrypted, too.</param>
/// <param name="WrittenAt">When the last of it was written.</param>
/// <param name="QuarantinedOn">The UTC day it was set aside; null when it still lies among the images.</param>
internal sealed record OrphanedFile(
    Guid Id, string Path, long SizeBytes, string? Sha256, string? MimeType, ImageSize? Size, DateTimeOffset WrittenAt, DateOnly? QuarantinedOn)
{
    public bool IsEncrypted => MimeType == EnvelopeIntake.MimeType;

    /// <returns>Null when the file is gone: somebody else dealt with it.</returns>
    public static async Task<OrphanedFile?> ReadAsync(
        IBlobs blobs, Guid id, StoredFile stored, DateOnly? quarantinedOn, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = await blobs.OpenReadAsync(stored.Key, 0, cancellationToken);
            var (type, size) = await IdentifyAsync(file, cancellationToken);
            file.Position = 0;
            var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
            return new(id, blobs.PathOf(stored.Key), file.Length, sha256, type, size, stored.WrittenAt, quarantinedOn);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception exception) when (BlobCopy.IsOfOneFile(exception))
        {
            return new(id, blobs.PathOf(stored.Key), stored.Length, Sha256: null, MimeType: null, Size: null, stored.WrittenAt, quarantinedOn);
        }
    }

    private static async Task<(string? Type, ImageSize? Size)> IdentifyAsync(Stream file, CancellationToken cancellationToken)
    {
        var first = new byte[ImageHeader.SniffLength];
        first = first[..await file.ReadAtLeastAsync(first, first.Length, throwOnEndOfStream: false, cancellationToken)];
        if (ImageHeader.TypeOf(first) is { } type)
        {
            var size = await ImageHeader.SizeOfAsync(new LoadedBytes(file), type, cancellationToken);
            return size is null ? (null, null) : (type, size);
        }

        return first is [(byte)'{', ..] && await IsEnvelopeAsync(file, cancellationToken) ? (EnvelopeIntake.MimeType, null) : (null, null);
    }

    private static async Task<bool> IsEnvelopeAsync(Stream file, CancellationToken cancellationToken)
    {
        using var bytes = new NativeBytes((int)file.Length);
        file.Position = 0;
        await file.ReadExactlyAsync(bytes.Memory, cancellationToken);
        return Envelope.Read(bytes.GetSpan(), UploadFields.All) is { IsComplete: true };
    }
}
