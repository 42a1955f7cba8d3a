using System.Text;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.DataProtection;

namespace Apertur.Server.OpenId;

/// <summary>Encrypts what the library leaves with the browser (state, nonce) with the keys that all nodes share.</summary>
internal sealed class OpenIdProtection(ColumnEncryption encryption, string purpose = "openid") : IDataProtector
{
    public IDataProtector CreateProtector(string purpose1) => new OpenIdProtection(encryption, $"{purpose}/{purpose1}");

    public byte[] Protect(byte[] plaintext) =>
        Encoding.ASCII.GetBytes(encryption.Protect(purpose, Guid.Empty, Convert.ToBase64String(plaintext)));

    public byte[] Unprotect(byte[] protectedData) =>
        Convert.FromBase64String(encryption.Unprotect(purpose, Guid.Empty, Encoding.ASCII.GetString(protectedData)));
}
