using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Apertur.Server.Http;

namespace Apertur.Server.Uploads;

/// <summary>
/// Verifies a stream against digests: <c>Content-Digest</c> and <c>Repr-Digest</c> (RFC 9530) by SHA-256 or
/// SHA-512, and <c>Content-MD5</c>. Other algorithms of RFC 9530 are passed over, as it asks.
/// </summary>
internal sealed class DigestCheck : IDisposable
{
    /// <summary>The headers that are read; the same as headers of a request and of a part.</summary>
    public static readonly string[] Headers = ["Content-Digest", "Repr-Digest", "Content-MD5"];

    private readonly List<(IncrementalHash Hash, byte[] Expected)> _digests = [];

    /// <summary>Whether the sender gave none.</summary>
    public bool IsEmpty => _digests.Count == 0;

    /// <summary>Whether all of what has passed by has the digests that were given. To be asked at its end.</summary>
    public bool IsRight => _digests.TrueForAll(digest =>
        CryptographicOperations.FixedTimeEquals(digest.Hash.GetCurrentHash(), digest.Expected));

    /// <summary>The digests in the headers of a request or a part.</summary>
    /// <param name="header">The value of a header; empty or null when it was not sent.</param>
    /// <exception cref="ApiErrorException">400: a header cannot be read.</exception>
    public static DigestCheck Of(Func<string, string?> header)
    {
        var check = new DigestCheck();
        foreach (var name in Headers)
        {
            if (header(name) is not { Length: > 0 } value)
                continue;
            if (name == "Content-MD5")
                check.Add(name, HashAlgorithmName.MD5, value);
            else
                check.AddDictionary(name, value);
        }

        return check;
    }

    /// <summary>The same bytes, looked at as they pass by.</summary>
    public ReadBytes Over(ReadBytes read) => IsEmpty ? read : async (minimum, cancellationToken) =>
    {
        var chunk = await read(minimum, cancellationToken);
        Append(chunk);
        return chunk;
    };

    /// <summary>The same body, looked at as it is consumed.</summary>
    public PipeReader Over(PipeReader body) => IsEmpty ? body : new CheckedBody(body, this);

    public void Dispose() => _digests.ForEach(digest => digest.Hash.Dispose());

    private void Append(ReadOnlySequence<byte> bytes)
    {
        foreach (var piece in bytes)
            _digests.ForEach(digest => digest.Hash.AppendData(piece.Span));
    }

    // A dictionary of structured fields (RFC 9651): sha-256=:base64:, sha-512=:base64:
    private void AddDictionary(string name, string value)
    {
        foreach (var member in value.Split(','))
        {
            var parts = member.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries);
            HashAlgorithmName? algorithm = parts[0] switch
            {
                "sha-256" => HashAlgorithmName.SHA256,
                "sha-512" => HashAlgorithmName.SHA512,
                _ => null,
            };
            if (algorithm is { } known)
                Add(name, known, parts is [_, [':', .. var encoded, ':']] ? encoded : "");
        }
    }

    private void Add(string name, HashAlgorithmName algorithm, string encoded)
    {
        var hash = IncrementalHash.CreateHash(algorithm);
        var digest = new byte[hash.HashLengthInBytes];
        if (!Convert.TryFromBase64String(encoded, digest, out var length) || length != digest.Length)
        {
            hash.Dispose();
            throw ApiErrors.Validation(name, name == "Content-MD5"
                ? "Content-MD5 must be the base64 of 16 bytes."
                : $"{name} must be written as RFC 9530 says, such as sha-256=:<base64>:.").ToException();
        }

        _digests.Add((hash, digest));
    }

    private sealed class CheckedBody(PipeReader body, DigestCheck check) : PipeReader
    {
        private ReadOnlySequence<byte> _buffer;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            var result = await body.ReadAsync(cancellationToken);
            _buffer = result.Buffer;
            return result;
        }

        public override bool TryRead(out ReadResult result) => throw new NotSupportedException();

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            check.Append(_buffer.Slice(0, consumed));
            body.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => throw new NotSupportedException();

        public override void Complete(Exception? exception = null) => throw new NotSupportedException();
    }
}
