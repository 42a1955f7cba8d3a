namespace Apertur.Server.Accounts;

/// <summary>A person who signs in.</summary>
internal sealed class User
{
    public required Guid Id { get; init; }

    /// <summary>Lower case; unique.</summary>
    public required string Email { get; set; }

    public required string PasswordHash { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }
}
