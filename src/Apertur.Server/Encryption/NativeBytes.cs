using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Apertur.Server.Encryption;

/// <summary>
/// Memory outside the garbage collector's heap: an envelope may have 150 MB, and what is disposed here is wiped and goes back to
/// the system at once instead of at some later collection.
/// </summary>
internal sealed unsafe class NativeBytes : MemoryManager<byte>
{
    private readonly int _length;
    private byte* _start;

    public NativeBytes(int length)
    {
        _length = length;
        _start = (byte*)NativeMemory.Alloc((nuint)Math.Max(1, length));
    }

    public override Span<byte> GetSpan() =>
        _start is null ? throw new ObjectDisposedException(nameof(NativeBytes)) : new(_start, _length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (_start is null)
            return;
        CryptographicOperations.ZeroMemory(new Span<byte>(_start, _length));
        NativeMemory.Free(_start);
        _start = null;
    }
}
