using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Contract;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Apertur.Server.Destinations;

/// <summary>The kinds of destination that this server has, with everything that a form for one needs to know.</summary>
internal static class DestinationTypesApi
{
    /// <summary>Every type of destination with the fields of its configuration.</summary>
    public static Ok<List<DestinationTypeResponse>> List(DestinationTypes types) => TypedResults.Ok(types.All.Select(Describe).ToList());

    private static DestinationTypeResponse Describe(IDestinationType type) => new()
    {
        Type = type.Type,
        Label = type.Label,
        OAuth = type is IOAuthDestination,
        Configured = type is not IOAuthDestination { OAuth: null },
        Problem = (type as IOAuthDestination)?.Missing(isConnected: true),
        Fields = [.. type.AllFields.Select(Describe)],
    };

    private static ConfigFieldResponse Describe(ConfigField field) => new()
    {
        Name = field.Name,
        Label = field.Label,
        Kind = field.Kind.WireName(),
        Required = field.Required,
        Secret = field.Secret,
        Default = field.Default switch
        {
            null => null,
            string text => JsonValue.Create(text),
            int number => JsonValue.Create(number),
            bool on => JsonValue.Create(on),
            _ => throw new InvalidOperationException($"The default of {field.Name} is of a kind that JSON has no place for."),
        },
        Allowed = field.Allowed,
        Min = field.Range?.Min,
        Max = field.Range?.Max,
        Fields = [.. field.Fields.Select(Describe)],
        Help = field.Help,
    };
}
