using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Http;
using Apertur.Server.Storage;

namespace Apertur.Server.Sessions;

/// <summary>
/// Tokens that let a page of the session's owner look on: what came, small pictures of it, who is there. The link alone does not, since whoever sends
/// photos has it and is not meant to see those of others; and an API key, which could do more, is not for a page.
/// </summary>
internal sealed class WidgetTokens(DerivedKeys keys, SessionGate gate, TimeProvider clock)
{
    /// <summary>The parameter of the query: neither a picture nor an <c>EventSource</c> can send a header.</summary>
    public const string Parameter = "token";

    /// <summary>How long after its session a token counts: a form may be sent later than its photos.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(24);

    public string Of(Guid sessionId) => Base64Url.EncodeToString(HMACSHA256.HashData(keys.Key("widget"), sessionId.ToByteArray()));

    /// <summary>The session, for a request that carries its token. It stands for the session's password too.</summary>
    /// <exception cref="ApiErrorException">404, 401.</exception>
    public async Task<UploadSession> EnterAsync(string id, HttpRequest request, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        var given = request.Query[Parameter].ToString();
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(Of(session.Id)))
            && clock.GetUtcNow() < session.ExpiresAt + Grace
                ? session
                : throw ApiErrors.Unauthenticated("Send the session's widget_token as ?token=. It counts until a day after the session.").ToException();
    }
}
