using Apertur.Server.Contract;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Apertur.Server.Encryption;

/// <summary>What a client needs before it can encrypt.</summary>
internal static class EncryptionApi
{
    /// <summary>The public key that photos are encrypted to in mode default.</summary>
    public static Ok<ServerKeyResponse> Key(ServerKeyPair keyPair) => TypedResults.Ok(new ServerKeyResponse(keyPair.PublicKey));
}
