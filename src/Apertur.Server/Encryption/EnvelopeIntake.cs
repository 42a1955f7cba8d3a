using System.Buffers;
using Apertur.Server.Blobs;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Encryption;

/// <summary>
/// Receives and decrypts encrypted photos. The envelope goes into the store as it comes, so slow senders hold no memory; whole ones are read
/// back and opened in one buffer each, a few at once. Only what is proven genuine is written as a photo.
/// </summary>
internal sealed class EnvelopeIntake(
    ImageIntake intake, BlobStore blobs, ServerKeyPair keyPair, Database database, Settings settings, TimeProvider clock) : IDisposable
{
    public const string MimeType = "application/json";

    private const string Ending = ".enc";

    private readonly SemaphoreSlim _opening = new(settings.Limits.EnvelopesAtOnce);

    /// <summary>
    /// The largest envelope that may hold a photo of so many bytes: base64 makes four of three, escaped signs may add an eighth,
    /// and the rest is for the other members.
    /// </summary>
    public static long MaxBytes(long photoBytes) => (photoBytes * 3 / 2) + (64 * 1024);

    /// <summary>Stages the photo that the envelope holds, or in mode <c>e2e</c> the envelope itself.</summary>
    /// <param name="read">The envelope's bytes.</param>
    /// <param name="filename">As the part says; null when the envelope says it.</param>
    /// <param name="sent">Takes the fields that stand beside the envelope.</param>
    /// <exception cref="ApiErrorException">Not an envelope that this session takes; nothing stays of it.</exception>
    public async Task<StagedImage> StageAsync(
        ReadBytes read, string? filename, SentFields sent, UploadSession session, EncryptionMode mode, CancellationToken cancellationToken)
    {
        if (mode == EncryptionMode.EndToEnd)
            await RequireOwnKeyAsync(session, cancellationToken);

        var blob = blobs.Create(Guid.CreateVersion7(clock.GetUtcNow()));
        try
        {
            await FillAsync(blob, read, session, cancellationToken);
            await _opening.WaitAsync(cancellationToken);
            try
            {
                using var bytes = new NativeBytes((int)blob.Length);
                await blob.ReadAllAsync(bytes.Memory, cancellationToken);
                var envelope = Envelope.Read(bytes.GetSpan(), sent.Fields) ?? throw ApiErrors.WrongEnvelope.ToException();
                foreach (var field in sent.Fields)
                    sent.TakeFromEnvelope(field, envelope.Fields.GetValueOrDefault(field.Name));
                filename = WithoutEnding(filename ?? envelope.Filename);
                if (mode == EncryptionMode.EndToEnd)
                {
                    if (!envelope.IsComplete)
                        throw ApiErrors.WrongEnvelope.ToException();
                    var name = Filenames.Sealed(filename);
                    return new StagedImage(blob, name, MimeType, null) { IsEncrypted = true };
                }

                using var server = keyPair.OpenPrivate();
                var photo = envelope.Open(bytes.Memory, server) ?? throw ApiErrors.WrongEnvelope.ToException();
                var staged = await intake.StageAsync(OneChunk(photo), filename, session, cancellationToken);
                await blob.DisposeAsync();
                return staged;
            }
            finally
            {
                _opening.Release();
            }
        }
        catch
        {
            await blob.DisposeAsync();
            throw;
        }
    }

    public void Dispose() => _opening.Dispose();

    private async Task RequireOwnKeyAsync(UploadSession session, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var own = await db.Projects.Where(p => p.Id == session.ProjectId).Select(p => p.E2ePublicKey)
            .SingleAsync(cancellationToken);
        var encryption = SessionEncryption.Of(session, own);
        var refusal =
            !encryption.Enabled ? "This project has no public key to encrypt to end to end."
            : encryption.Downgraded ? "This session limits the types or dimensions of photos, or has metadata removed from them, so the "
                + "server must be able to read them: send them without e2e."
            : null;
        if (refusal is not null)
            throw ApiErrors.Validation(EncryptionModes.Header, refusal).ToException();
    }

    private static async Task FillAsync(
        BlobWriter blob, ReadBytes read, UploadSession session, CancellationToken cancellationToken)
    {
        var most = MaxBytes(session.MaxImageSizeMb * 1024L * 1024);
        while (await read(ImageIntake.ChunkBytes, cancellationToken) is { IsEmpty: false } chunk)
        {
            if (blob.Length + chunk.Length > most)
                throw ApiErrors.ImageTooLarge(session.MaxImageSizeMb).ToException();
            await blob.AppendAsync(chunk, cancellationToken);
        }
    }

    private static ReadBytes OneChunk(ReadOnlyMemory<byte> photo)
    {
        var rest = new ReadOnlySequence<byte>(photo);
        return (_, _) =>
        {
            var chunk = rest;
            rest = ReadOnlySequence<byte>.Empty;
            return ValueTask.FromResult(chunk);
        };
    }

    private static string? WithoutEnding(string? filename) =>
        filename is not null && filename.EndsWith(Ending, StringComparison.OrdinalIgnoreCase)
            ? filename[..^Ending.Length]
            : filename;
}
