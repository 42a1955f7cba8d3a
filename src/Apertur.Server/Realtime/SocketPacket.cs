using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Server.Realtime;

/// <summary>The packet types of Socket.IO, protocol revision 5.</summary>
internal enum SocketType
{
    Connect = '0',
    Disconnect = '1',
    Event = '2',
    Ack = '3',
    ConnectError = '4',
    BinaryEvent = '5',
    BinaryAck = '6',
}

/// <summary>One packet as it stands in a message of Engine.IO.</summary>
/// <param name="Type">What it is.</param>
/// <param name="Namespace">Begins with a slash; <c>/</c> is the main one.</param>
/// <param name="Payload">An object when connecting, an array of arguments in events and acknowledgements.</param>
/// <param name="AckId">Asks for an acknowledgement, or is one.</param>
/// <param name="Attachments">How many binary messages follow, which its placeholders stand for.</param>
internal sealed record SocketPacket(SocketType Type, string Namespace, JsonNode? Payload = null, long? AckId = null, int Attachments = 0)
{
    // Deeper than any argument of ours; JSON that is nested without end is not read.
    private static readonly JsonDocumentOptions _json = new() { MaxDepth = 16 };

    /// <summary>Its text: <c>type[attachments-][namespace,][id][payload]</c>.</summary>
    public string Encoded => string.Create(
        CultureInfo.InvariantCulture,
        $"{(char)Type}{(Attachments > 0 ? $"{Attachments}-" : "")}{(Namespace == "/" ? "" : Namespace + ",")}{AckId}{Payload?.ToJsonString()}");

    /// <returns>Null when it is no packet that a client may send.</returns>
    public static SocketPacket? Parse(string text)
    {
        if (text.Length == 0 || text[0] is < '0' or > '6' or '4')
            return null;
        var type = (SocketType)text[0];
        var rest = text.AsSpan(1);
        long? attachments = null;
        if (type is SocketType.BinaryEvent or SocketType.BinaryAck)
        {
            attachments = Number(ref rest);
            if (attachments is null || rest is not ['-', ..])
                return null;
            rest = rest[1..];
        }

        var name = "/";
        if (rest is ['/', ..])
        {
            var end = rest.IndexOf(',');
            name = (end < 0 ? rest : rest[..end]).ToString();
            rest = end < 0 ? [] : rest[(end + 1)..];
        }

        var id = Number(ref rest);
        if (!TryRead(rest, out var payload) || !Fits(type, payload, id))
            return null;
        return new SocketPacket(type, name, payload, id, (int)Math.Min(attachments ?? 0, int.MaxValue));
    }

    private static bool Fits(SocketType type, JsonNode? payload, long? id) => type switch
    {
        SocketType.Connect => payload is null or JsonObject,
        SocketType.Disconnect => payload is null,
        SocketType.Event or SocketType.BinaryEvent =>
            payload is JsonArray { Count: > 0 } arguments && arguments[0]?.GetValueKind() is JsonValueKind.String,
        _ => payload is JsonArray && id is not null,
    };

    private static bool TryRead(ReadOnlySpan<char> text, out JsonNode? payload)
    {
        payload = null;
        if (text.IsEmpty)
            return true;
        try
        {
            payload = JsonNode.Parse(text.ToString(), documentOptions: _json);
            return payload is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static long? Number(ref ReadOnlySpan<char> text)
    {
        var digits = text.IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : text.Length;
        if (digits is 0 || !long.TryParse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return null;
        text = text[digits..];
        return number;
    }
}
