using System.Buffers;
using System.Buffers.Text;
using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;
using System.Text.Json;

namespace Apertur.Server.Commands.Demo;

/// <summary>
/// A webhook body of the format json_base64, read from a file: the photo inside may be as large as 100 MB and is never wholly in
/// memory. The file is mapped, the JSON reader walks over the mapping, and the photo's text is decoded piece by piece.
/// </summary>
internal sealed unsafe class InboxBody : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private readonly int _length;
    private int _dataStart = -1;
    private int _dataLength;
    private bool _dataEscaped;

    /// <summary>Reads everything but the photo.</summary>
    /// <exception cref="InvalidDataException">The body is not such JSON, or a field is missing.</exception>
    public InboxBody(FileStream body)
    {
        if (body.Length is 0 or > int.MaxValue) throw new InvalidDataException("The body is empty or too large");
        _length = (int)body.Length;
        _file = MemoryMappedFile.CreateFromFile(
            body, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _file.CreateViewAccessor(0, _length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        try
        {
            ReadFields();
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            Dispose();
            throw new InvalidDataException("The body is not a delivery in the format json_base64", exception);
        }
        catch (InvalidDataException)
        {
            Dispose();
            throw;
        }
    }

    /// <summary>All zeros in a destination's test, which is answered but not kept.</summary>
    public Guid ImageId { get; private set; }

    public string SessionId { get; private set; } = "";

    public string FileName { get; private set; } = "";

    public string MimeType { get; private set; } = "";

    private string Sha256 { get; set; } = "";

    /// <summary>Writes the photo's bytes and returns their SHA-256 in lower-case hexadecimal, which is the one it came with.</summary>
    /// <exception cref="InvalidDataException">The text is not base64, or the bytes have another SHA-256.</exception>
    public string DecodeTo(Stream photo)
    {
        var text = new ReadOnlySpan<byte>(_start + _dataStart, _dataLength);
        byte[]? unescaped = null;
        if (_dataEscaped)
        {
            // A sender may write + as \u002B. Then, and only then, the text is copied once.
            unescaped = ArrayPool<byte>.Shared.Rent(_dataLength);
            var reader = new Utf8JsonReader(new ReadOnlySpan<byte>(_start + _dataStart - 1, _dataLength + 2));
            reader.Read();
            text = unescaped.AsSpan(0, reader.CopyString(unescaped));
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var bytes = ArrayPool<byte>.Shared.Rent(3 * 16 * 1024);
        try
        {
            while (!text.IsEmpty)
            {
                var piece = text[..Math.Min(text.Length, 4 * 16 * 1024)];
                var isLast = piece.Length == text.Length;
                if (Base64.DecodeFromUtf8(piece, bytes, out var read, out var written, isLast) != OperationStatus.Done)
                    throw new InvalidDataException("The photo is not base64");
                hash.AppendData(bytes, 0, written);
                photo.Write(bytes, 0, written);
                text = text[read..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            if (unescaped is not null) ArrayPool<byte>.Shared.Return(unescaped);
        }

        var computed = Convert.ToHexStringLower(hash.GetHashAndReset());
        return computed.Equals(Sha256, StringComparison.OrdinalIgnoreCase)
            ? computed
            : throw new InvalidDataException("The photo's bytes do not have the SHA-256 that the delivery names");
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    private void ReadFields()
    {
        var reader = new Utf8JsonReader(new ReadOnlySpan<byte>(_start, _length));
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException();
        var hasImageId = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            switch (name)
            {
                case "image_id": (ImageId, hasImageId) = (reader.GetGuid(), true); break;
                case "session_id": SessionId = reader.GetString() ?? ""; break;
                case "filename": FileName = reader.GetString() ?? ""; break;
                case "mime_type": MimeType = reader.GetString() ?? ""; break;
                case "sha256": Sha256 = reader.GetString() ?? ""; break;
                case "data" when reader.TokenType == JsonTokenType.String:
                    _dataStart = (int)reader.TokenStartIndex + 1;
                    _dataLength = reader.ValueSpan.Length;
                    _dataEscaped = reader.ValueIsEscaped;
                    break;
                default: reader.Skip(); break;
            }
        }

        if (!hasImageId || Sha256.Length == 0 || _dataStart < 0)
            throw new InvalidDataException("The body lacks image_id, sha256 or data");
    }
}
