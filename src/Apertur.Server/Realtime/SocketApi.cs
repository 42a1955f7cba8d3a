namespace Apertur.Server.Realtime;

/// <summary>Where clients of Socket.IO come in.</summary>
internal static class SocketApi
{
    public const string Path = "/socket.io";

    /// <summary>One request of a client, whatever its method: the protocol has its own rules for them.</summary>
    public static Task Handle(HttpContext http, SocketServer sockets) => sockets.Engine.HandleAsync(http);
}
