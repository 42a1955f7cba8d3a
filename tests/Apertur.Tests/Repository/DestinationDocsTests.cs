using System.Globalization;
using System.Text;
using Apertur.Destinations;

namespace Apertur.Tests.Repository;

/// <summary>docs/destinations.md says of each type what the type says of itself.</summary>
public sealed class DestinationDocsTests
{
    private const string Path = "docs/destinations.md";
    private const string Start = "<!-- types -->\n";
    private const string End = "<!-- /types -->";

    [Fact]
    public void Tables_of_the_destination_types_are_what_the_types_say()
    {
        using var http = new OutboundHttp(allowPrivateNetworks: false);
        var tables = Tables(DestinationTypes.BuiltIn(http));
        var text = RepositoryFiles.Read(Path);
        var from = text.IndexOf(Start, StringComparison.Ordinal) + Start.Length;
        var to = text.IndexOf(End, StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("APERTUR_WRITE_DOCS") == "true")
        {
            File.WriteAllText(System.IO.Path.Combine(RepositoryFiles.Root, Path), text[..from] + tables + text[to..]);
            return;
        }

        Assert.True(
            text[from..to] == tables,
            $"{Path} is out of date: run this test once with APERTUR_WRITE_DOCS=true, or put this between its marks:\n{tables}");
    }

    private static string Tables(IReadOnlyList<IDestinationType> types)
    {
        var text = new StringBuilder();
        foreach (var type in types)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {type.Label}: `{type.Type}`\n\n");
            if (type is IOAuthDestination)
                text.Append("Connected by a person at the provider, see below.\n\n");
            text.Append(Table(type.Fields));
        }

        text.Append("\nBold fields are required.\n");
        foreach (var group in types[0].AllFields.Where(field => field.Kind == ConfigFieldKind.Group))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## Every type: `{group.Name}`\n\n{group.Help}\n\n");
            text.Append(Table(group.Fields));
        }

        return text.Append('\n').ToString();
    }

    private static string Table(IEnumerable<ConfigField> fields)
    {
        var text = new StringBuilder("| field | | holds | default | |\n|---|---|---|---|---|\n");
        foreach (var field in fields)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {(field.Required ? $"**`{field.Name}`**" : $"`{field.Name}`")} | {field.Label} ");
            text.Append(CultureInfo.InvariantCulture, $"| {Holds(field)} | {Default(field)} | {field.Help} |\n");
        }

        return text.ToString();
    }

    private static string Holds(ConfigField field)
    {
        var kind = field switch
        {
            { Allowed.Count: > 0 } => string.Join(" · ", field.Allowed.Select(value => $"`{value}`")),
            { Range: var (min, max) } => string.Create(CultureInfo.InvariantCulture, $"{min} to {max}"),
            { Kind: ConfigFieldKind.Url } => "http or https address",
            { Kind: ConfigFieldKind.Number } => "whole number",
            { Kind: ConfigFieldKind.Switch } => "true or false",
            { Kind: ConfigFieldKind.Map } => "names and values",
            { Kind: ConfigFieldKind.Document } => "JSON document",
            _ => "text",
        };
        return field.Secret ? kind + ", secret" : kind;
    }

    private static string Default(ConfigField field) =>
        field.Default is null ? "" : string.Create(CultureInfo.InvariantCulture, $"`{field.Default}`");
}
