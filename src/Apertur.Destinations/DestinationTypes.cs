using System.Collections.Frozen;

namespace Apertur.Destinations;

/// <summary>Every destination type there is, and the lookup by name.</summary>
public sealed class DestinationTypes
{
    private readonly FrozenDictionary<string, IDestinationType> _byName;

    /// <param name="types">The types on offer; two of one name are a programming error.</param>
    public DestinationTypes(IEnumerable<IDestinationType> types)
    {
        All = [.. types];
        _byName = All.ToFrozenDictionary(type => type.Type, StringComparer.Ordinal);
    }

    /// <summary>THE LIST: a new type is its own file and one line here.</summary>
    /// <param name="http">The guarded way out.</param>
    /// <param name="clock">Timestamps of signatures, time limits and <c>Retry-After</c> dates; the system's when null.</param>
    /// <param name="settings">What the operator decided; the services' own addresses and no OAuth clients when null.</param>
    public static IReadOnlyList<IDestinationType> BuiltIn(
        OutboundHttp http, TimeProvider? clock = null, DestinationSettings? settings = null) =>
    [
        new WebhookDestination(http, clock ?? TimeProvider.System),
        new OdooDestination(http, clock ?? TimeProvider.System),
        new S3Destination(http, clock ?? TimeProvider.System),
        new GcsDestination(http, settings ?? new(), clock ?? TimeProvider.System),
        new GoogleDriveDestination(http, settings ?? new(), clock ?? TimeProvider.System),
        new DropboxDestination(http, settings ?? new(), clock ?? TimeProvider.System),
    ];

    public IReadOnlyList<IDestinationType> All { get; }

    /// <summary>The type of that name, or null.</summary>
    public IDestinationType? Find(string name) => _byName.GetValueOrDefault(name);
}
