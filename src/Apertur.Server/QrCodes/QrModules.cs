using QRCoder;

namespace Apertur.Server.QrCodes;

/// <summary>The dark and light modules of one QR code (ISO/IEC 18004), without a quiet zone.</summary>
internal sealed class QrModules
{
    // QRCoder's matrix has the quiet zone of the standard around it.
    private const int DrawnQuietZone = 4;

    private readonly bool[] _dark;

    private QrModules(int side, bool[] dark) => (Side, _dark) = (side, dark);

    /// <summary>Modules from edge to edge: 21 to 177.</summary>
    public int Side { get; }

    /// <summary>Whether the module is dark; outside the code all are light.</summary>
    public bool this[int x, int y] => (uint)x < (uint)Side && (uint)y < (uint)Side && _dark[(y * Side) + x];

    public static QrModules Of(string content, QRCodeGenerator.ECCLevel correction)
    {
        using var code = QRCodeGenerator.GenerateQrCode(content, correction);
        var rows = code.ModuleMatrix;
        var side = rows.Count - (2 * DrawnQuietZone);
        var dark = new bool[side * side];
        for (var i = 0; i < dark.Length; i++)
            dark[i] = rows[DrawnQuietZone + (i / side)][DrawnQuietZone + (i % side)];
        return new QrModules(side, dark);
    }

    /// <summary>
    /// Whether a corner of a dark module stands free, so that it may be rounded: its neighbours on both sides of that corner
    /// are light.
    /// Modules that touch stay one piece, which keeps finder patterns solid and the edges where scanners expect them.
    /// </summary>
    /// <param name="x">Column of the module.</param>
    /// <param name="y">Row of the module.</param>
    /// <param name="right">-1 for a left corner, 1 for a right one.</param>
    /// <param name="down">-1 for an upper corner, 1 for a lower one.</param>
    public bool IsFreeCorner(int x, int y, int right, int down) => !this[x + right, y] && !this[x, y + down];
}
