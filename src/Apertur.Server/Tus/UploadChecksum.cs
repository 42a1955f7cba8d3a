using System.Buffers;
using System.Security.Cryptography;
using Apertur.Server.Http;

namespace Apertur.Server.Tus;

/// <summary>The checksum of one request's bytes, <c>Upload-Checksum: sha256 base64</c>: bytes that have another one do not count.</summary>
internal sealed class UploadChecksum : IDisposable
{
    public const string Algorithms = "sha1,sha256,sha512,md5";

    private readonly IncrementalHash _hash;
    private readonly byte[] _expected;

    private UploadChecksum(HashAlgorithmName algorithm, byte[] expected) =>
        (_hash, _expected) = (IncrementalHash.CreateHash(algorithm), expected);

    /// <summary>Whether all of what was added has it. To be asked once, at the end.</summary>
    public bool IsRight() => CryptographicOperations.FixedTimeEquals(_hash.GetHashAndReset(), _expected);

    /// <returns>Null when the request has none.</returns>
    /// <exception cref="ApiErrorException">400: it cannot be read, or the algorithm is none of <see cref="Algorithms"/>.</exception>
    public static UploadChecksum? Of(HttpRequest request)
    {
        if (request.Headers[TusHeaders.Checksum].ToString() is not { Length: > 0 } header)
            return null;
        var words = header.Split(' ', 2);
        HashAlgorithmName? algorithm = words[0] switch
        {
            "sha1" => HashAlgorithmName.SHA1,
            "sha256" => HashAlgorithmName.SHA256,
            "sha512" => HashAlgorithmName.SHA512,
            "md5" => HashAlgorithmName.MD5,
            _ => null,
        };
        var digest = new byte[128];
        if (algorithm is null || words.Length < 2 || !Convert.TryFromBase64String(words[1], digest, out var length))
            throw ApiErrors.Validation(TusHeaders.Checksum, $"{TusHeaders.Checksum} must be one of {Algorithms} and the digest in base64.").ToException();
        return new(algorithm.Value, digest[..length]);
    }

    public void Append(in ReadOnlySequence<byte> bytes)
    {
        foreach (var segment in bytes)
            _hash.AppendData(segment.Span);
    }

    public void Dispose() => _hash.Dispose();
}
