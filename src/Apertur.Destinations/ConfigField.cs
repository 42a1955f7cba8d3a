namespace Apertur.Destinations;

/// <summary>What a configuration field holds, as JSON and as a form control.</summary>
public enum ConfigFieldKind
{
    /// <summary>A JSON string on one line.</summary>
    Text,

    /// <summary>An absolute http or https address without user information, as a JSON string.</summary>
    Url,

    /// <summary>A JSON integer.</summary>
    Number,

    /// <summary>A JSON boolean.</summary>
    Switch,

    /// <summary>A JSON object whose values are strings.</summary>
    Map,

    /// <summary>A JSON document: an object, or a string that holds one (a key file pasted whole).</summary>
    Document,

    /// <summary>A JSON object of fields of its own, see <see cref="ConfigField.Fields"/>. Others are refused.</summary>
    Group,
}

/// <summary>One field of a destination type's configuration. Everything that handles configuration derives from this.</summary>
/// <param name="Name">The member of the <c>config</c> object, in camelCase. Never changes.</param>
/// <param name="Label">What people read beside it.</param>
/// <param name="Kind">What it holds.</param>
public sealed record ConfigField(string Name, string Label, ConfigFieldKind Kind = ConfigFieldKind.Text)
{
    public bool Required { get; init; }

    /// <summary>
    /// Encrypted at rest, write-only over the API. A <see cref="ConfigFieldKind.Map"/> masks its values, not its names.
    /// </summary>
    public bool Secret { get; init; }

    /// <summary>The value that counts when the field is absent; null when absence means absence.</summary>
    public object? Default { get; init; }

    /// <summary>The only values allowed; empty when any is.</summary>
    public IReadOnlyList<string> Allowed { get; init; } = [];

    /// <summary>Bounds of a <see cref="ConfigFieldKind.Number"/>, both inclusive.</summary>
    public (int Min, int Max)? Range { get; init; }

    /// <summary>What a <see cref="ConfigFieldKind.Group"/> consists of; empty for the other kinds.</summary>
    public IReadOnlyList<ConfigField> Fields { get; init; } = [];

    /// <summary>One sentence of help; null when the label says it all.</summary>
    public string? Help { get; init; }

    /// <summary>A rule of this field alone, run after the kind's own: a message for a bad value, null for a good one.</summary>
    public Func<string, string?>? Check { get; init; }

    /// <summary>
    /// A rule for each name and value of a <see cref="ConfigFieldKind.Map"/>: a message for a bad one, null for a good one.
    /// </summary>
    public Func<string, string, string?>? CheckEntry { get; init; }
}
