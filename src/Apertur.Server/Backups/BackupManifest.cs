using System.Text.Json;
using System.Text.Json.Serialization;

namespace Apertur.Server.Backups;

/// <summary>What a backup says of itself, in <c>manifest.json</c>.</summary>
internal sealed record BackupManifest
{
    /// <summary>The only layout there has been.</summary>
    public const int CurrentFormat = 1;

    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(), new Http.InstantJson() },
    };

    public required int Format { get; init; }

    /// <summary>When its database was copied.</summary>
    public required DateTimeOffset MadeAt { get; init; }

    public required DatabaseProvider Database { get; init; }

    /// <summary>The scripts that made the database's tables.</summary>
    public required IReadOnlyList<int> SchemaScripts { get; init; }

    /// <summary>Where the installation has its keys; those in a folder are part of the backup unless <see cref="HasKeys"/> is false.</summary>
    public required KeysPlace KeysPlace { get; init; }

    public required bool HasKeys { get; init; }

    /// <summary>How many photos are part of it; null when they were left to other means.</summary>
    public required long? Photos { get; init; }

    /// <summary>Photos that the database names and that were deleted before they could be copied: their rows go at a restore.</summary>
    public required IReadOnlyList<Guid> Deleted { get; init; }

    /// <summary>Photos that were missing or not what was received.</summary>
    public required IReadOnlyList<Guid> Damaged { get; init; }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, _json);

    public static BackupManifest Parse(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize<BackupManifest>(json, _json)!;
}
