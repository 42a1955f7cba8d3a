using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Auth;
using Apertur.Server.Projects;

namespace Apertur.Server.Keys;

/// <summary>An API key of one project and environment. Only its hash is kept.</summary>
internal sealed class ApiKey : ITenantData
{
    /// <summary>The prefix that tells API keys from tokens.</summary>
    public const string Mark = "aptr_";

    /// <summary>The role of every key in its project; <c>docs/roles.md</c> says why.</summary>
    public const Role Role = Projects.Role.Developer;

    /// <summary>The places that <see cref="SigningSecret"/> and <see cref="TotpSecret"/> are bound to when encrypted.</summary>
    public const string SigningSecretColumn = "api_keys.signing_secret";
    public const string TotpSecretColumn = "api_keys.totp_secret";

    public const int MaxLabelLength = 200;

    private const int PrefixLength = 16;

    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public required Env Env { get; init; }

    /// <summary>The first characters of the key, for people to tell keys apart.</summary>
    public required string Prefix { get; init; }

    public required string Hash { get; init; }
    public required string Label { get; set; }
    public bool IsActive { get; set; } = true;
    public bool LongPollingEnabled { get; set; }

    /// <summary>Destinations of sessions that name none.</summary>
    public Guid[] DefaultDestinations { get; set; } = [];

    public int? MaxImages { get; set; }

    /// <summary>Empty when every type is allowed.</summary>
    public string[] AllowedMimeTypes { get; set; } = [];

    /// <summary>Pixels of the longer side.</summary>
    public int? MaxImageDimension { get; set; }

    /// <summary>Networks it may be used from; empty for everywhere.</summary>
    public string[] AllowedIps { get; set; } = [];

    /// <summary>Hosts of pages it may be used on, <c>*.</c> before one for its subdomains; empty for every program.</summary>
    public string[] AllowedDomains { get; set; } = [];

    /// <summary>Encrypted; when there is one, every request must be signed with it.</summary>
    public string? SigningSecret { get; set; }

    /// <summary>Encrypted hex of the bytes that an authenticator app shares.</summary>
    public string? TotpSecret { get; set; }

    /// <summary>Whether every request must carry a code; only after a first code was right.</summary>
    public bool TotpOn { get; set; }

    /// <summary>Codes up to this step are used up.</summary>
    public long TotpLastStep { get; set; }
    public long TotpHighestStep { get; set; }

    /// <summary>Which codes are used up.</summary>
    public UsedCodes UsedCodes => new(TotpLastStep, TotpHighestStep);

    public DateTimeOffset? LastUsedAt { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>A deleted key is not active either.</summary>
    public DateTimeOffset? DeletedAt { get; set; }

    /// <summary>Makes a key and its row. The key itself is returned once and kept nowhere.</summary>
    public static (ApiKey Row, string PlainText) Create(Guid projectId, Env env, string label, DateTimeOffset now)
    {
        var plainText = $"{Mark}{env.WireName()}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24))}";
        var row = new ApiKey
        {
            Id = Guid.CreateVersion7(now),
            ProjectId = projectId,
            Env = env,
            Prefix = plainText[..PrefixLength],
            Hash = HashOf(plainText),
            Label = label,
            CreatedAt = now,
        };
        return (row, plainText);
    }

    /// <summary>SHA-256 in lower-case hex: the key has 192 random bits, so a slow hash would protect nothing.</summary>
    public static string HashOf(string plainText) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(plainText)));
}
