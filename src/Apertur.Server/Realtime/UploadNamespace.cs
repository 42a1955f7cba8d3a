using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Server.Http;
using Apertur.Server.Sessions;

namespace Apertur.Server.Realtime;

/// <summary>
/// The namespace <c>/upload</c>: a client joins sessions and gets their events from then on, the same as from
/// <see cref="SessionStream"/>. After a connection was lost it joins again.
/// </summary>
internal sealed partial class UploadNamespace(SessionGate gate, SessionFeed feed, RateLimits limits, ILogger<UploadNamespace> log)
{
    /// <summary>Sessions that one socket may be in at once.</summary>
    public const int MostSessions = 20;

    // The protocol has pings of its own: no heartbeat is needed, and that saves half of the looks at rows.
    private static readonly TimeSpan _silence = TimeSpan.FromSeconds(30);

    public SocketNamespace Describe() => new("/upload", (socket, _) => new Member(this, socket).ReceiveAsync);

    /// <summary>One client and the sessions that it has joined.</summary>
    private sealed class Member(UploadNamespace upload, Socket socket)
    {
        // Most clients follow one session, and there are thousands of them.
        private readonly ConcurrentDictionary<Guid, CancellationTokenSource> _joined = new(concurrencyLevel: 1, capacity: 1);

        public async Task ReceiveAsync(SocketEvent received)
        {
            if (received.Name is not ("session:join" or "session:leave"))
                return;
            string? error;
            try
            {
                error = Text(received.Arguments.ElementAtOrDefault(0)) is not { } id ? "Send the id of an upload session."
                    : received.Name == "session:leave" ? Leave(id)
                    : await JoinAsync(id, Text((received.Arguments.ElementAtOrDefault(1) as JsonObject)?["password"]));
            }
            catch (ApiErrorException refusal)
            {
                error = refusal.Error.Message;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                upload.LogFailure(received.Name, exception);
                error = ApiErrors.Unavailable.Message;
            }

            received.Acknowledge?.Invoke(
                [error is null ? new JsonObject { ["ok"] = true } : new JsonObject { ["ok"] = false, ["error"] = error }]);
        }

        private async Task<string?> JoinAsync(string id, string? password)
        {
            upload.Charge(socket.Address);
            var session = await upload.EnterAsync(id, password, socket.Gone);
            if (_joined.ContainsKey(session.Id))
                return null;
            if (_joined.Count >= MostSessions)
                return $"A connection can be in {MostSessions} sessions at once.";
            var left = CancellationTokenSource.CreateLinkedTokenSource(socket.Gone);
            _joined[session.Id] = left;
            _ = FollowAsync(session, left);
            return null;
        }

        private string? Leave(string id)
        {
            if (Guid.TryParse(id, out var sessionId) && _joined.TryRemove(sessionId, out var left))
                left.Cancel();
            return null;
        }

        private async Task FollowAsync(UploadSession session, CancellationTokenSource left)
        {
            try
            {
                await foreach (var each in upload.Follow(session, left.Token))
                {
                    if (each is not null)
                        socket.Emit([each.Name, JsonSerializer.SerializeToNode(each.Data, each.Data.GetType(), WireJson.Wire)]);
                }
            }
            catch (OperationCanceledException)
            {
                // It has left.
            }
            catch (Exception exception)
            {
                upload.LogFailure("session:join", exception);
                socket.Drop();
            }
            finally
            {
                _joined.TryRemove(new(session.Id, left));
                left.Dispose();
            }
        }

        private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
    }

    private void Charge(string address) => limits.ChargeStranger(address);

    private Task<UploadSession> EnterAsync(string id, string? password, CancellationToken cancellationToken) =>
        gate.EnterAsync(id, password, cancellationToken);

    private IAsyncEnumerable<SessionEvent?> Follow(UploadSession session, CancellationToken cancellationToken) =>
        feed.FollowAsync(session.Id, EventCursor.After(session.LastChanged), _silence, tellsChanges: false, tellsVisitors: false, cancellationToken);

    [LoggerMessage(EventName = "socket.failed", Level = LogLevel.Warning, Message = "{Event} failed")]
    private partial void LogFailure(string @event, Exception exception);
}
