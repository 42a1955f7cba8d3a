using Apertur.Server.Accounts;

namespace Apertur.Server.Contract;

internal sealed record LoginRequest
{
    public string? Email { get; init; }
    public string? Password { get; init; }

    /// <summary>Six digits, for people who have switched codes on.</summary>
    public string? Totp { get; init; }
}

internal sealed record RefreshRequest
{
    public string? RefreshToken { get; init; }
}

/// <summary>What a person shows from now on.</summary>
/// <param name="Token">As <c>Authorization: Bearer</c>, for 15 minutes.</param>
/// <param name="ExpiresAt">When it ends.</param>
/// <param name="RefreshToken">Good once, for the next pair; using it twice ends the sign-in.</param>
/// <param name="User">Who signed in.</param>
internal sealed record LoginResponse(string Token, DateTimeOffset ExpiresAt, string RefreshToken, UserResponse User);

/// <summary>What the dashboard's script gets; what renews it stays in a cookie.</summary>
/// <param name="Token">As <c>Authorization: Bearer</c>, for 15 minutes.</param>
/// <param name="ExpiresIn">Seconds until it ends: the clocks of people's devices are not to be trusted.</param>
/// <param name="User">Who signed in.</param>
internal sealed record DashboardSessionResponse(string Token, int ExpiresIn, UserResponse User);

internal sealed record UserResponse(Guid Id, string Email, bool TotpEnabled, bool HasPassword, bool IsOperator, DateTimeOffset CreatedAt)
{
    public static UserResponse Of(User person) => new(person.Id, person.Email, person.TotpOn, person.HasPassword, person.IsOperator, person.CreatedAt);
}

internal sealed record MeResponse(
    Guid Id, string Email, bool TotpEnabled, bool HasPassword, bool IsOperator, DateTimeOffset CreatedAt, IReadOnlyList<MyProject> Projects);

internal sealed record MyProject(Guid Id, string Name, string Role);

internal sealed record ChangePasswordRequest
{
    public string? CurrentPassword { get; init; }
    public string? NewPassword { get; init; }
}

internal sealed record PasswordRequest
{
    public string? Password { get; init; }
}

internal sealed record CodeRequest
{
    public string? Code { get; init; }
}

/// <summary>A secret for an authenticator app; counts only after a first code was confirmed.</summary>
/// <param name="Secret">For typing, base32.</param>
/// <param name="OtpauthUrl">For a QR code.</param>
internal sealed record TotpSecretResponse(string Secret, string OtpauthUrl);
