using System.IO.Pipelines;
using System.Security.Cryptography;
using Apertur.Server.Http;

namespace Apertur.Server.Uploads;

/// <summary>
/// The digests that came with an upload: in headers of the request, headers of the part, and the text part
/// <c>sha256</c>. What is said and not so refuses the upload before anything is received.
/// </summary>
internal sealed class UploadDigests : IDisposable
{
    /// <summary>The text part.</summary>
    public const string Sha256Field = "sha256";

    private readonly DigestCheck _ofBody;
    private readonly DigestCheck _ofFile;
    private readonly IncrementalHash _asSent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private DigestCheck? _ofPart;
    private string? _sha256;

    public UploadDigests(HttpRequest request)
    {
        _ofBody = DigestCheck.Of(name => request.Headers[name]);
        // Some senders of forms mean the file, not the form around it.
        _ofFile = DigestCheck.Of(name => request.Headers[name]);
        Body = _ofBody.Over(request.BodyReader);
    }

    /// <summary>The request's body, looked at as it passes by.</summary>
    public PipeReader Body { get; }

    /// <summary>The bytes of the photo or envelope, looked at as they pass by.</summary>
    /// <param name="read">Reads them.</param>
    /// <param name="part">The part they are in; null when they are the whole body.</param>
    /// <param name="isEncrypted">The digest of the photo is not that of what is sent.</param>
    public ReadBytes File(ReadBytes read, MultipartPart? part, bool isEncrypted)
    {
        _ofPart = DigestCheck.Of(name => part?.Digests.GetValueOrDefault(name));
        var looked = _ofPart.Over(_ofFile.Over(read));
        return !isEncrypted ? looked : async (minimum, cancellationToken) =>
        {
            var chunk = await looked(minimum, cancellationToken);
            foreach (var piece in chunk)
                _asSent.AppendData(piece.Span);
            return chunk;
        };
    }

    /// <summary>Takes the text part <c>sha256</c>.</summary>
    /// <exception cref="ApiErrorException">400: it is no SHA-256.</exception>
    public void Expect(string sha256) => _sha256 = ReadSha256(sha256);

    /// <summary>A SHA-256 as somebody wrote it, as 64 lower-case hex characters.</summary>
    /// <exception cref="ApiErrorException">400: it is none.</exception>
    public static string ReadSha256(string text)
    {
        var sha256 = text.Trim().ToLowerInvariant();
        return sha256.Length == 64 && sha256.All(char.IsAsciiHexDigit)
            ? sha256
            : throw ApiErrors.Validation(Sha256Field, "sha256 must be the SHA-256 of the file in 64 hex characters.").ToException();
    }

    /// <summary>Holds a staged image against all that was said.</summary>
    /// <exception cref="ApiErrorException">400 <c>DIGEST_MISMATCH</c>.</exception>
    public async Task RequireAsync(StagedImage image, CancellationToken cancellationToken)
    {
        var isRight = _ofPart!.IsRight
            && (_sha256 is null || _sha256 == image.SentSha256 || _sha256 == Convert.ToHexStringLower(_asSent.GetCurrentHash()))
            && (_ofFile.IsRight || await IsBodyRightAsync(cancellationToken));
        if (!isRight)
            throw ApiErrors.DigestMismatch.ToException();
    }

    public void Dispose()
    {
        _ofBody.Dispose();
        _ofFile.Dispose();
        _ofPart?.Dispose();
        _asSent.Dispose();
    }

    private async Task<bool> IsBodyRightAsync(CancellationToken cancellationToken)
    {
        // What may follow the last boundary is part of the body too.
        while (await Body.ReadAsync(cancellationToken) is var rest)
        {
            Body.AdvanceTo(rest.Buffer.End);
            if (rest.IsCompleted)
                break;
        }

        return _ofBody.IsRight;
    }
}
