namespace Apertur.Destinations;

/// <summary>
/// A destination type that a person connects at a provider instead of typing in credentials.
/// </summary>
/// <remarks>
/// <para>The caller owns the grant: it keeps the refresh token encrypted, lets one worker at a time refresh, and puts a valid
/// access token into <see cref="DestinationConfig.AccessToken"/> for each call.</para>
/// <para>An outcome whose <see cref="DeliveryOutcome.Status"/> is 401 says that this access token was not accepted: the caller
/// drops it, refreshes, and may call again at once. <see cref="OAuthAnswer.Revoked"/> from the refresh means <see
/// cref="DeliveryOutcome.Broken"/>.</para>
/// </remarks>
public interface IOAuthDestination : IDestinationType
{
    /// <summary>How to connect; null when the operator has not registered this server at the provider.</summary>
    OAuthFlow? OAuth { get; }

    /// <summary>What is missing before anything can be sent, and who can help; null when nothing is.</summary>
    /// <param name="isConnected">Whether a person has connected the destination.</param>
    string? Missing(bool isConnected) => this switch
    {
        { OAuth: null } =>
            $"{Label} is not configured on this server: its operator has to register it there and set the client id and secret.",
        _ when !isConnected => $"Not connected to {Label} yet: connect the destination first.",
        _ => null,
    };

    /// <summary>Why nothing can be sent before anything was asked of the provider; null when there is a token to try.</summary>
    internal DeliveryOutcome? Unconnected(DestinationConfig config) => Missing(config.AccessToken is not null) switch
    {
        null => null,
        // The operator's to mend, at once for all owners: nothing may wait until each of them has acted.
        { } missing when OAuth is null => new DeliveryOutcome.TryAgain(missing),
        { } missing => new DeliveryOutcome.Broken(missing),
    };
}
