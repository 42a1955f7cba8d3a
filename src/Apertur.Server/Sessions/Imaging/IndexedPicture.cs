namespace Apertur.Server.Sessions.Imaging;

/// <summary>A square picture of few colours.</summary>
/// <param name="Side">Pixels.</param>
/// <param name="Pixels">One index into <paramref name="Palette"/> per pixel, row by row from the top.</param>
/// <param name="Palette">At most 256 colours.</param>
internal sealed record IndexedPicture(int Side, byte[] Pixels, Rgb[] Palette);
