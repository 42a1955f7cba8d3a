using System.Security.Cryptography;
using Apertur.Server.Encryption;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Server.Uploads;

/// <summary>A file that no row names, and what its own bytes say of it.</summary>
/// <param name="MimeType">Null when it is no photo that could have been received.</param>
/// <param name="Size">In pixels; null for what is encrypted, too.</param>
/// <param name="WrittenAt">When the last of it was written.</param>
/// <param name="QuarantinedOn">The UTC day it was set aside; null when it still lies among the images.</param>
internal sealed record OrphanedFile(
    Guid Id, string Path, long SizeBytes, string Sha256, string? MimeType, ImageSize? Size, DateTimeOffset WrittenAt, DateOnly? QuarantinedOn)
{
    public bool IsEncrypted => MimeType == EnvelopeIntake.MimeType;

    /// <returns>Null when the file is gone: somebody else dealt with it.</returns>
    public static async Task<OrphanedFile?> ReadAsync(Guid id, string path, DateOnly? quarantinedOn, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0, FileOptions.Asynchronous);
            var (type, size) = Identify(file.SafeFileHandle, file.Length);
            var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
            return new(id, path, file.Length, sha256, type, size, File.GetLastWriteTimeUtc(file.SafeFileHandle), quarantinedOn);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static (string? Type, ImageSize? Size) Identify(SafeFileHandle file, long length)
    {
        Span<byte> first = stackalloc byte[ImageHeader.SniffLength];
        first = first[..RandomAccess.Read(file, first, 0)];
        if (ImageHeader.TypeOf(first) is { } type)
            return ImageHeader.SizeOf(file, length, type) is { } size ? (type, size) : (null, null);
        return !first.IsEmpty && first[0] == '{' && IsEnvelope(file, length) ? (EnvelopeIntake.MimeType, null) : (null, null);
    }

    private static bool IsEnvelope(SafeFileHandle file, long length)
    {
        using var bytes = new NativeBytes((int)length);
        return RandomAccess.Read(file, bytes.GetSpan(), 0) == length && Envelope.Read(bytes.GetSpan()) is { IsComplete: true };
    }
}
