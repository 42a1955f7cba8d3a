using System.Text;

namespace Apertur.Server.Realtime;

/// <summary>The packet types of Engine.IO, protocol revision 4, as they stand in front of a packet's text.</summary>
internal enum EngineType
{
    Open = '0',
    Close = '1',
    Ping = '2',
    Pong = '3',
    Message = '4',
    Upgrade = '5',
    Noop = '6',
}

/// <summary>One packet: a type and text, or a message of bytes.</summary>
/// <param name="Type">Always <see cref="EngineType.Message"/> where there are bytes.</param>
/// <param name="Text">What follows the type.</param>
/// <param name="Binary">Null for text.</param>
internal sealed record EnginePacket(EngineType Type, string Text = "", byte[]? Binary = null)
{
    public const char Separator = '\x1e';

    public static readonly EnginePacket Noop = new(EngineType.Noop);
    public static readonly EnginePacket Ping = new(EngineType.Ping);
    public static readonly EnginePacket Close = new(EngineType.Close);

    /// <summary>How it stands in a payload, and, where it is text, in a WebSocket frame.</summary>
    public string Encoded => Binary is null ? (char)Type + Text : "b" + Convert.ToBase64String(Binary);

    /// <returns>Null when it is no packet.</returns>
    public static EnginePacket? Parse(string text)
    {
        if (text.Length == 0)
            return null;
        if (text[0] is >= '0' and <= '6')
            return new EnginePacket((EngineType)text[0], text[1..]);
        if (text[0] != 'b')
            return null;
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64Chars(text.AsSpan(1), bytes, out var length)
            ? new EnginePacket(EngineType.Message, Binary: bytes[..length])
            : null;
    }

    /// <summary>The packets of the body of a POST; null when one of them is none.</summary>
    public static IReadOnlyList<EnginePacket>? ParsePayload(string body)
    {
        var packets = body.Split(Separator).Select(Parse).OfType<EnginePacket>().ToList();
        return packets.Count == body.Count(character => character == Separator) + 1 ? packets : null;
    }

    public int EncodedBytes => Binary is null ? 1 + Encoding.UTF8.GetByteCount(Text) : 1 + ((Binary.Length + 2) / 3 * 4);
}
