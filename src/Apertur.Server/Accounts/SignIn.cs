namespace Apertur.Server.Accounts;

/// <summary>One sign-in of one person, on one device: the family that its refresh tokens belong to. Without the row no token of it counts.</summary>
internal sealed class SignIn
{
    public required Guid Id { get; init; }
    public required Guid UserId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A refresh token: valid for one renewal of its sign-in. Kept after that, so that a second use is noticed.</summary>
internal sealed class RefreshToken
{
    public required string Hash { get; init; }
    public required Guid SignInId { get; init; }
    public DateTimeOffset? UsedAt { get; set; }

    /// <summary>As <see cref="Http.AddressRanges.Subject"/> gives it.</summary>
    public string? UsedFrom { get; set; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
