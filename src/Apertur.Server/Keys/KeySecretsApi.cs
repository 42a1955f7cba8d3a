using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Keys;

/// <summary>
/// What a key can ask for beyond itself: signatures and codes. Whoever may change a key may change these, so they protect against a key that
/// leaked, not against a member of the project.
/// </summary>
internal static class KeySecretsApi
{
    /// <summary>Makes a secret. From the next request on, the key counts only with a signature made with it; one made before is void.</summary>
    public static async Task<Ok<SigningSecretResponse>> CreateSigningSecret(
        string projectId, string id, Caller caller, Database database, ColumnEncryption encryption, CancellationToken cancellationToken)
    {
        var secret = ColumnEncryption.Generate();
        await KeysApi.ChangeAsync(
            projectId, id, caller, database,
            key => key.SigningSecret = encryption.Protect(ApiKey.SigningSecretColumn, key.Id, secret), cancellationToken);
        return TypedResults.Ok(new SigningSecretResponse(secret));
    }

    /// <summary>Ends the signing of requests for a key.</summary>
    public static async Task<NoContent> DeleteSigningSecret(
        string projectId, string id, Caller caller, Database database, CancellationToken cancellationToken)
    {
        await KeysApi.ChangeAsync(projectId, id, caller, database, key => key.SigningSecret = null, cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>Makes a secret for an authenticator app. Codes are asked for only after a first one was confirmed.</summary>
    public static async Task<Ok<KeyTotpResponse>> CreateTotp(
        string projectId, string id, Caller caller, Database database, ColumnEncryption encryption, CancellationToken cancellationToken)
    {
        var secret = Totp.GenerateSecret();
        var key = await KeysApi.ChangeAsync(
            projectId, id, caller, database,
            key =>
            {
                if (key.TotpOn)
                    throw ApiErrors.BadRequest("Codes are on already. Switch them off before making another secret.").ToException();
                key.TotpSecret = encryption.Protect(ApiKey.TotpSecretColumn, key.Id, Convert.ToHexString(secret));
            },
            cancellationToken);
        return TypedResults.Ok(new KeyTotpResponse(Totp.Text(secret), Totp.Address(secret, key.Label)));
    }

    /// <summary>Switches codes on, once the app has shown a right one.</summary>
    public static async Task<Ok<KeyResponse>> ConfirmTotp(
        string projectId, string id, Body<KeyCodeRequest> body, Caller caller, AperturDb db, Database database, ColumnEncryption encryption, RateLimits limits,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var key = await KeysApi.FindAsync(projectId, id, caller, db, cancellationToken);
        if (key.TotpSecret is not { } kept)
            throw ApiErrors.BadRequest("There is no secret yet. Make one with POST …/totp.").ToException();
        await limits.CountCodeAsync(key.Id, cancellationToken);
        var secret = Convert.FromHexString(encryption.Unprotect(ApiKey.TotpSecretColumn, key.Id, kept));
        if (Totp.Verify(secret, body.Value.Code, key.UsedCodes, clock.GetUtcNow()) is not { } step
            || !await SwitchOnAsync(database, key, kept, key.UsedCodes.With(step), cancellationToken))
            throw ApiErrors.Validation("code", "This code is wrong or was used before. Check the clock of the device, and try the next one.").ToException();

        var changed = await KeysApi.FindAsync(projectId, id, caller, db, cancellationToken);
        return TypedResults.Ok((await KeysApi.DescribeAsync([changed], db, cancellationToken)).Single());
    }

    /// <summary>Switches codes off for a key.</summary>
    public static async Task<NoContent> DeleteTotp(
        string projectId, string id, Caller caller, Database database, CancellationToken cancellationToken)
    {
        await KeysApi.ChangeAsync(projectId, id, caller, database, key => (key.TotpOn, key.TotpSecret) = (false, null), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<bool> SwitchOnAsync(Database database, ApiKey key, string kept, UsedCodes used, CancellationToken cancellationToken) =>
        await database.WriteAsync(
            db => db.ApiKeys.Where(k => k.Id == key.Id && k.TotpSecret == kept && k.TotpLastStep == key.TotpLastStep).ExecuteUpdateAsync(
                k => k.SetProperty(x => x.TotpOn, true).SetProperty(x => x.TotpLastStep, used.Last).SetProperty(x => x.TotpHighestStep, used.Highest), cancellationToken),
            cancellationToken) == 1;
}
