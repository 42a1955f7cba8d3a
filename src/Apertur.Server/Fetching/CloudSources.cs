namespace Apertur.Server.Fetching;

/// <summary>
/// A provider of online storage whose own picker lets people choose photos there. Addresses are written as in a content security policy: an origin,
/// in which a star stands for any names below. Not a record, which would write the secret wherever it is named.
/// </summary>
/// <param name="name">As in <c>source</c> of an upload.</param>
/// <param name="title">What people call it.</param>
internal sealed class CloudSource(string name, string title)
{
    public string Name => name;

    public string Title => title;

    /// <summary>This server as it is registered there: all that is known to anybody who opens the page.</summary>
    public required IReadOnlyDictionary<string, string> Ids { get; init; }

    /// <summary>Where the script of the picker's page finds what it needs of the provider.</summary>
    public required IReadOnlyDictionary<string, string> Addresses { get; init; }

    /// <summary>What the picker's page may load and reach beside this server's own.</summary>
    public required ProviderPolicy Policy { get; init; }

    /// <summary>Where photos are fetched from, and a token is sent to.</summary>
    public required IReadOnlyList<string> Hosts { get; init; }

    /// <summary>Where those may lead, without the token; null for any public address.</summary>
    public required IReadOnlyList<string>? LeadsTo { get; init; }

    /// <summary>Where it gives access tokens for codes, when it gives them to servers with a secret only; null where the picker's page gets its own.</summary>
    public Uri? TokenAddress { get; init; }

    /// <summary>That secret.</summary>
    public string? Secret { get; init; }

    /// <summary>Whether it gives photos out to whoever shows an access token, and to nobody else.</summary>
    public bool NeedsToken { get; init; }

    /// <summary>Whether that is where it keeps photos.</summary>
    public bool Holds(Uri address) => Hosts.Any(host => Matches(host, address));

    /// <summary>Whether it may hand out photos from there.</summary>
    public bool MayLeadTo(Uri address) => LeadsTo is null || Holds(address) || LeadsTo.Any(host => Matches(host, address));

    private static bool Matches(string origin, Uri address)
    {
        const string Below = "://*";
        var wanted = new Uri(origin.Replace(Below, "://any", StringComparison.Ordinal));
        return address.Scheme == wanted.Scheme && address.Port == wanted.Port && (origin.Contains(Below, StringComparison.Ordinal)
            ? address.IdnHost.EndsWith(wanted.Host["any".Length..], StringComparison.Ordinal)
            : address.IdnHost == wanted.Host);
    }
}

/// <summary>What of a provider a page may load and reach: sources of a content security policy.</summary>
internal sealed record ProviderPolicy
{
    public IReadOnlyList<string> Scripts { get; init; } = [];
    public IReadOnlyList<string> Styles { get; init; } = [];
    public IReadOnlyList<string> Images { get; init; } = [];
    public IReadOnlyList<string> Fonts { get; init; } = [];
    public IReadOnlyList<string> Calls { get; init; } = [];
    public IReadOnlyList<string> Frames { get; init; } = [];
    public IReadOnlyList<string> Forms { get; init; } = [];
}

/// <summary>The providers that this server is registered at, so that their pickers can be offered.</summary>
/// <param name="settings">The ids.</param>
/// <param name="elsewhere">Puts an address of a provider elsewhere. For tests: no provider can be had there.</param>
internal sealed class CloudSources(Settings settings, Func<string, string>? elsewhere = null)
{
    private readonly Func<string, string> _at = elsewhere ?? (static address => address);

    /// <summary>In the order that they are offered in.</summary>
    public IReadOnlyList<CloudSource> Offered => field ??= [.. All().Where(source => source.Ids.Values.First().Length > 0)];

    /// <summary>Null when it is not offered.</summary>
    public CloudSource? Find(string name) => Offered.FirstOrDefault(source => source.Name == name);

    private IEnumerable<CloudSource> All()
    {
        var sources = settings.Sources;

        // https://developers.google.com/workspace/drive/picker/guides/overview: files.get with alt=media gives the file itself out. The policy is
        // that of https://github.com/googleworkspace/drive-picker-element/blob/main/examples/csp/index.html.
        yield return new("google_drive", "Google Drive")
        {
            Ids = Words(("clientId", sources.GoogleDrive.ClientId), ("apiKey", sources.GoogleDrive.ApiKey), ("appId", sources.GoogleDrive.AppId)),
            Addresses = At(
                ("api", "https://apis.google.com/js/api.js"), ("identity", "https://accounts.google.com/gsi/client"),
                ("files", "https://www.googleapis.com/drive/v3/files/")),
            Policy = new()
            {
                Scripts = At("https://apis.google.com", "https://accounts.google.com"),
                Styles = ["'unsafe-inline'", .. At("https://accounts.google.com")],
                Images = At("https://*.googleusercontent.com", "https://*.gstatic.com"),
                Fonts = At("https://fonts.gstatic.com"),
                Calls = At("https://accounts.google.com", "https://*.googleapis.com"),
                Frames = At("https://docs.google.com", "https://drive.google.com", "https://accounts.google.com"),
            },
            Hosts = At("https://www.googleapis.com"),
            LeadsTo = At("https://*.googleapis.com", "https://*.googleusercontent.com"),
            NeedsToken = true,
        };

        // https://developers.google.com/photos/picker/guides/media-items: base URLs take a token, and "=d" for the file with its metadata.
        yield return new("google_photos", "Google Photos")
        {
            Ids = Words(("clientId", sources.GooglePhotos.ClientId)),
            Addresses = At(("identity", "https://accounts.google.com/gsi/client"), ("api", "https://photospicker.googleapis.com/v1/")),
            Policy = new()
            {
                Scripts = At("https://accounts.google.com"),
                Styles = ["'unsafe-inline'", .. At("https://accounts.google.com")],
                Calls = At("https://accounts.google.com", "https://photospicker.googleapis.com"),
                Frames = At("https://accounts.google.com"),
            },
            Hosts = At("https://lh3.googleusercontent.com", "https://lh4.googleusercontent.com", "https://lh5.googleusercontent.com", "https://lh6.googleusercontent.com"),
            LeadsTo = At("https://*.googleusercontent.com"),
            NeedsToken = true,
        };

        // https://www.dropbox.com/developers/chooser: direct links, which are good for four hours and need nothing else.
        yield return new("dropbox", "Dropbox")
        {
            Ids = Words(("appKey", sources.Dropbox.AppKey)),
            Addresses = At(("script", "https://www.dropbox.com/static/api/2/dropins.js")),
            Policy = new()
            {
                Scripts = At("https://www.dropbox.com"),
                Styles = ["'unsafe-inline'"],
                Images = At("https://www.dropbox.com", "https://*.dropboxstatic.com"),
                Frames = At("https://www.dropbox.com"),
            },
            Hosts = At("https://dl.dropboxusercontent.com", "https://*.dropboxusercontent.com"),
            LeadsTo = [],
        };

        // https://learn.microsoft.com/onedrive/developer/controls/file-pickers, for personal accounts: those of organisations have an address each
        // that no id tells. What it picks is at one of two APIs, which lead to an address that is good for minutes, on hosts that are nowhere named
        // (https://learn.microsoft.com/onedrive/developer/rest-api/api/driveitem_get_content).
        yield return new("onedrive", "OneDrive")
        {
            Ids = Words(("clientId", sources.OneDrive.ClientId)),
            Addresses = At(
                ("authority", "https://login.microsoftonline.com/consumers/oauth2/v2.0/"), ("picker", "https://onedrive.live.com/picker")),
            Policy = new()
            {
                Calls = At("https://login.microsoftonline.com"),
                Frames = At("https://onedrive.live.com", "https://*.live.com", "https://*.microsoftpersonalcontent.com", "https://*.sharepoint.com"),
                // Of a form that leads on, browsers hold each address to the policy.
                Forms = At("https://onedrive.live.com", "https://*.live.com", "https://*.microsoftpersonalcontent.com", "https://*.sharepoint.com"),
            },
            Hosts = At("https://api.onedrive.com", "https://my.microsoftpersonalcontent.com"),
            LeadsTo = null,
            NeedsToken = true,
        };

        // https://developer.box.com/guides/embed/ui-elements/picker, which takes a token, and Box gives tokens for a code and a secret only
        // (https://developer.box.com/guides/authentication/oauth2/without-sdk). Files are handed out at boxcloud.com
        // (https://developer.box.com/guides/api-calls/allowing-domain-access).
        yield return new("box", "Box")
        {
            Ids = Words(("clientId", sources.Box.ClientId)),
            Addresses = At(
                ("authorize", "https://account.box.com/api/oauth2/authorize"), ("elements", "https://cdn01.boxcdn.net/platform/elements/23.0.0/"),
                ("files", "https://api.box.com/2.0/files/")),
            TokenAddress = new Uri(_at("https://api.box.com/oauth2/token")),
            Secret = sources.Box.ClientSecret,
            Policy = new()
            {
                Scripts = At("https://cdn01.boxcdn.net"),
                Styles = ["'unsafe-inline'", .. At("https://cdn01.boxcdn.net")],
                Images = At("https://*.boxcdn.net", "https://*.boxcloud.com", "https://*.box.com"),
                Fonts = At("https://*.boxcdn.net"),
                // This server exchanges the code.
                Calls = ["'self'", .. At("https://api.box.com", "https://*.boxcloud.com")],
            },
            Hosts = At("https://api.box.com"),
            LeadsTo = At("https://*.boxcloud.com"),
            NeedsToken = true,
        };
    }

    private string[] At(params string[] addresses) => [.. addresses.Select(_at).Distinct()];

    private Dictionary<string, string> At(params (string Name, string Address)[] addresses) =>
        addresses.ToDictionary(each => each.Name, each => _at(each.Address));

    private static Dictionary<string, string> Words(params (string Name, string Value)[] words) => words.ToDictionary(each => each.Name, each => each.Value);
}
