using System.Text.Json.Nodes;

namespace Apertur.Server.Contract;

/// <summary>Where a person goes to connect a destination; good for ten minutes and one connection.</summary>
internal sealed record AuthorizeResponse
{
    public required string Url { get; init; }
}

/// <summary>A kind of destination.</summary>
internal sealed record DestinationTypeResponse
{
    /// <summary>The <c>type</c> of its destinations.</summary>
    public required string Type { get; init; }

    public required string Label { get; init; }

    /// <summary>Whether a destination has to be connected at a provider before it is used.</summary>
    public required bool OAuth { get; init; }

    /// <summary>Whether the operator has set up what this type needs.</summary>
    public required bool Configured { get; init; }

    /// <summary>What the operator has to do; null when the type can be used.</summary>
    public required string? Problem { get; init; }

    /// <summary>The members of <c>config</c>.</summary>
    public required IReadOnlyList<ConfigFieldResponse> Fields { get; init; }
}

/// <summary>One member of a destination's <c>config</c>.</summary>
internal sealed record ConfigFieldResponse
{
    public required string Name { get; init; }
    public required string Label { get; init; }

    /// <summary><c>text</c>, <c>url</c>, <c>number</c>, <c>switch</c>, <c>map</c>, <c>document</c> or <c>group</c>.</summary>
    public required string Kind { get; init; }

    public required bool Required { get; init; }

    /// <summary>Write-only: it reads back masked.</summary>
    public required bool Secret { get; init; }

    /// <summary>What counts when it is left out; null when leaving it out means none.</summary>
    public required JsonNode? Default { get; init; }

    /// <summary>The only values; empty when there are no such.</summary>
    public required IReadOnlyList<string> Allowed { get; init; }

    /// <summary>The least value of a <c>number</c>.</summary>
    public required int? Min { get; init; }

    /// <summary>The greatest value of a <c>number</c>.</summary>
    public required int? Max { get; init; }

    /// <summary>The members of a <c>group</c>, which is an object; those that are required are so when it is there. Empty for the other kinds.</summary>
    public required IReadOnlyList<ConfigFieldResponse> Fields { get; init; }

    public required string? Help { get; init; }
}
