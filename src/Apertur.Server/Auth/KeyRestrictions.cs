using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Auth;

/// <summary>
/// Checks the restrictions of an API key: client address, origin, request signature, one-time code. The code comes last, because checking
/// uses it up.
/// </summary>
internal static class KeyRestrictions
{
    private const string CodeHeader = "X-APTR-TOTP";

    /// <exception cref="ApiErrorException">403 for address and page, 401 for signature and code, 429 for too many codes.</exception>
    public static async Task CheckAsync(HttpContext context, ApiKey key)
    {
        if (key.AllowedIps.Length > 0 && !AddressRanges.Contain(key.AllowedIps, context.Connection.RemoteIpAddress))
            throw ApiErrors.Forbidden("This API key may not be used from your address.").ToException();
        if (key.AllowedDomains.Length > 0 && !PageHosts.Allow(key.AllowedDomains, context.Request.Headers))
            throw ApiErrors.Forbidden("This API key may be used on certain pages only, and this request does not come from one of them.").ToException();

        var encryption = context.RequestServices.GetRequiredService<ColumnEncryption>();
        var clock = context.RequestServices.GetRequiredService<TimeProvider>();
        if (key.SigningSecret is { } signing)
        {
            var secret = encryption.Unprotect(ApiKey.SigningSecretColumn, key.Id, signing);
            await RequestSigning.CheckAsync(context, secret, clock.GetUtcNow());
        }

        if (key.TotpOn)
            await UseCodeAsync(context, key, encryption, clock);
    }

    private static async Task UseCodeAsync(HttpContext context, ApiKey key, ColumnEncryption encryption, TimeProvider clock)
    {
        var code = context.Request.Headers[CodeHeader].ToString();
        if (code.Length == 0)
            throw ApiErrors.Unauthenticated($"This API key asks for a code from an authenticator app: send it as {CodeHeader}.").ToException();

        await context.RequestServices.GetRequiredService<RateLimits>().CountCodeAsync(key.Id, context.RequestAborted);
        var secret = Convert.FromHexString(encryption.Unprotect(ApiKey.TotpSecretColumn, key.Id, key.TotpSecret!));
        if (Totp.Verify(secret, code, key.UsedCodes, clock.GetUtcNow()) is not { } step || !await TakeStepAsync(context, key, step))
            throw ApiErrors.Unauthenticated($"The code in {CodeHeader} is wrong or was used before. Each is good for one request.").ToException();
    }

    /// <summary>One statement decides between requests that show the same code at the same time, on whatever node.</summary>
    private static async Task<bool> TakeStepAsync(HttpContext context, ApiKey key, long step)
    {
        var used = key.UsedCodes.With(step);
        var taken = await context.RequestServices.GetRequiredService<Database>().WriteAsync(
            db => db.ApiKeys.Where(k => k.Id == key.Id && k.TotpLastStep == key.TotpLastStep)
                .ExecuteUpdateAsync(k => k.SetProperty(x => x.TotpLastStep, used.Last).SetProperty(x => x.TotpHighestStep, used.Highest), context.RequestAborted),
            context.RequestAborted);
        return taken == 1;
    }
}
