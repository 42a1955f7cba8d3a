using System.Buffers;
using System.Net.WebSockets;
using System.Text;

namespace Apertur.Server.Realtime;

/// <summary>Reads the packets of Engine.IO from a WebSocket. While it waits for one it holds no buffer.</summary>
internal static class EngineSocketReader
{
    /// <summary>The next packet.</summary>
    /// <returns>Null when the client closed it, or sent what is no packet.</returns>
    public static async Task<EnginePacket?> ReadAsync(WebSocket socket, int maxBytes, CancellationToken cancellationToken)
    {
        // Reading nothing waits without a buffer.
        if ((await socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken)).MessageType == WebSocketMessageType.Close)
            return null;
        var buffer = ArrayPool<byte>.Shared.Rent(1024);
        try
        {
            var length = 0;
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
                length += part.Count;
                if (part.MessageType == WebSocketMessageType.Close || length > maxBytes)
                    return null;
                if (part.EndOfMessage)
                {
                    return part.MessageType == WebSocketMessageType.Binary
                        ? new EnginePacket(EngineType.Message, Binary: buffer[..length])
                        : EnginePacket.Parse(Encoding.UTF8.GetString(buffer, 0, length)) is { Binary: null } packet ? packet : null;
                }

                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
