using Apertur.Server.Accounts;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Keys;
using Apertur.Server.Projects;

namespace Apertur.Server.Storage;

/// <summary>A column whose text <see cref="ColumnEncryption"/> encrypts. What is not on the list is forgotten when keys are changed.</summary>
/// <param name="Table">Its rows have an <c>id</c>, which the text is bound to.</param>
/// <param name="Column">Where the text stands.</param>
/// <param name="Purpose">The place it is bound to: <c>table.column</c>, or that of the column it came from.</param>
internal sealed record ProtectedColumn(string Table, string Column, string Purpose)
{
    /// <summary>Every one there is.</summary>
    public static IReadOnlyList<ProtectedColumn> All { get; } =
    [
        Of(Project.WebhookSecretColumn),
        new("projects", "previous_webhook_secret", Project.WebhookSecretColumn),
        Of(User.TotpSecretColumn),
        Of(DestinationConfigs.Column),
        Of(DeliveryRow.ResumeColumn),
        Of(OAuthGrant.RefreshTokenColumn),
        Of(OAuthGrant.AccessTokenColumn),
        Of(OAuthRequest.VerifierColumn),
        Of(ApiKey.SigningSecretColumn),
        Of(ApiKey.TotpSecretColumn),
        Of(EventWebhook.SecretColumn),
        Of(EventWebhook.CustomHeadersColumn),
        Of(EncryptionKey.PrivateKeyColumn),
    ];

    private static ProtectedColumn Of(string place)
    {
        var parts = place.Split('.');
        return new ProtectedColumn(parts[0], parts[1], place);
    }
}
