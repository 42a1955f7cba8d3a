using System.Net.Mail;
using Apertur.Server.Auth;

namespace Apertur.Server.Accounts;

/// <summary>A person who signs in.</summary>
internal sealed class User
{
    /// <summary>The place that <see cref="TotpSecret"/> is bound to when encrypted.</summary>
    public const string TotpSecretColumn = "users.totp_secret";

    private const int MaxEmailLength = 254;

    public required Guid Id { get; init; }

    /// <summary>As <see cref="CleanEmail"/> gives it; unique.</summary>
    public required string Email { get; set; }

    /// <summary>Empty when there is none, as for who comes by single sign-on only.</summary>
    public required string PasswordHash { get; set; }

    /// <summary>Whether the person runs this server: sees to all of it, beside what roles in projects allow.</summary>
    public bool IsOperator { get; set; }

    public bool HasPassword => PasswordHash.Length > 0;

    /// <summary>Since when the person may not come in; null when they may.</summary>
    public DateTimeOffset? DisabledAt { get; set; }

    /// <summary>Encrypted. Asked for only when <see cref="TotpOn"/>.</summary>
    public string? TotpSecret { get; set; }

    public bool TotpOn { get; set; }

    /// <summary>The time step of the last code that was accepted: none is accepted twice.</summary>
    public long TotpLastStep { get; set; }
    public long TotpHighestStep { get; set; }

    /// <summary>Which codes are used up.</summary>
    public UsedCodes UsedCodes => new(TotpLastStep, TotpHighestStep);

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>A person with a password; the caller has checked both.</summary>
    public static User Create(string email, string passwordHash, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7(now),
        Email = email,
        PasswordHash = passwordHash,
        CreatedAt = now,
    };

    /// <summary>A person whom a provider knows; the caller has checked the address.</summary>
    public static User WithoutPassword(string email, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7(now),
        Email = email,
        PasswordHash = "",
        CreatedAt = now,
    };

    /// <summary>The address in the one form that it is kept and compared in; null when it is none.</summary>
    public static string? CleanEmail(string? text)
    {
        var email = (text ?? "").Trim().ToLowerInvariant();
        return email.Length <= MaxEmailLength && MailAddress.TryCreate(email, out var address) && address.Address == email ? email : null;
    }
}
