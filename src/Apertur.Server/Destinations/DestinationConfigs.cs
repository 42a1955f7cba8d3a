using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Projects;
using Apertur.Server.Storage;

namespace Apertur.Server.Destinations;

/// <summary>Turns what is stored of a destination's configuration into what its type reads, and back.</summary>
internal sealed class DestinationConfigs(DestinationTypes types, Secrets secrets, TimeProvider clock)
{
    private const string Column = "destinations.config";

    public JsonObject Values(Destination destination) =>
        JsonNode.Parse(secrets.Unprotect(Column, destination.Id, destination.Config))!.AsObject();

    public string Protect(Guid destinationId, JsonObject values) => secrets.Protect(Column, destinationId, values.ToJsonString());

    /// <summary>The configuration for one attempt.</summary>
    public DestinationConfig Read(Destination destination, Project project) =>
        new(types.Find(destination.Type)!.Fields, Values(destination))
        {
            ProjectSecret = secrets.Unprotect(Project.WebhookSecretColumn, project.Id, project.WebhookSecret),
            PreviousProjectSecret = project is { PreviousWebhookSecret: { } previous, PreviousWebhookSecretUntil: { } until }
                && until > clock.GetUtcNow()
                    ? secrets.Unprotect(Project.WebhookSecretColumn, project.Id, previous)
                    : null,
        };
}
