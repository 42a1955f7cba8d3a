namespace Apertur.Server.OpenId;

/// <summary>Who a person is at the provider. Issuer and subject together never change and are never given to anybody else (OpenID Connect Core, 5.7).</summary>
internal sealed class OpenIdLink
{
    public required string Issuer { get; init; }
    public required string Subject { get; init; }
    public required Guid UserId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}
