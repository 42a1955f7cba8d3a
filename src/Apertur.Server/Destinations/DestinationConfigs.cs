using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Projects;
using Apertur.Server.Storage;

namespace Apertur.Server.Destinations;

/// <summary>Decrypts and encrypts the stored configuration of destinations.</summary>
internal sealed class DestinationConfigs(DestinationTypes types, ColumnEncryption encryption, TimeProvider clock)
{
    /// <summary>The place that a configuration is bound to when encrypted.</summary>
    public const string Column = "destinations.config";

    private const int MaxDecrypted = 10_000;

    // Decrypting costs more than the rest of a small delivery. What is encrypted anew has another text.
    private readonly ConcurrentDictionary<(string Column, Guid Row), (string Encrypted, string Text)> _decrypted = [];

    public JsonObject Values(Destination destination) => JsonNode.Parse(Unprotect(Column, destination.Id, destination.Config))!.AsObject();

    public string Protect(Guid destinationId, JsonObject values) => encryption.Protect(Column, destinationId, values.ToJsonString());

    /// <summary>A fingerprint of the configuration and the connected account.</summary>
    public string Target(Destination destination, DateTimeOffset? connectedAt)
    {
        var all = $"{Unprotect(Column, destination.Id, destination.Config)} {connectedAt?.ToUnixTimeMilliseconds()}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all)))[..16];
    }

    /// <summary>The configuration for one attempt.</summary>
    /// <param name="destination">The destination.</param>
    /// <param name="project">Its project.</param>
    /// <param name="accessToken">From <see cref="OAuthTokens"/>, for types that have one.</param>
    public DestinationConfig Read(Destination destination, Project project, string? accessToken = null) =>
        new(types.Find(destination.Type)!.AllFields, Values(destination))
        {
            ProjectSecret = Unprotect(Project.WebhookSecretColumn, project.Id, project.WebhookSecret),
            PreviousProjectSecret = project is { PreviousWebhookSecret: { } previous, PreviousWebhookSecretUntil: { } until }
                && until > clock.GetUtcNow()
                    ? encryption.Unprotect(Project.WebhookSecretColumn, project.Id, previous)
                    : null,
            AccessToken = accessToken,
        };

    private string Unprotect(string column, Guid row, string encrypted)
    {
        if (_decrypted.TryGetValue((column, row), out var known) && known.Encrypted == encrypted)
            return known.Text;
        var text = encryption.Unprotect(column, row, encrypted);
        if (_decrypted.Count >= MaxDecrypted)
            _decrypted.Clear();
        _decrypted[(column, row)] = (encrypted, text);
        return text;
    }
}
