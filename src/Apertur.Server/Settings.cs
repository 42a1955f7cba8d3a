using System.Reflection;
using Apertur.Destinations;
using Apertur.Server.Http;
using MimeKit;

namespace Apertur.Server;

/// <summary>Every setting; meaning, unit and default of each stand in <c>apertur.defaults.json</c>, which is always loaded first.</summary>
internal sealed class Settings
{
    public required ServerSettings Server { get; init; }
    public required DatabaseSettings Database { get; init; }
    public required OutboundSettings Outbound { get; init; }
    public required OAuthSettings OAuth { get; init; }
    public required OpenIdSettings OpenId { get; init; }
    public required LimitSettings Limits { get; init; }
    public required SourceSettings Sources { get; init; }
    public required StorageSettings Storage { get; init; }
    public required KeysSettings Keys { get; init; }
    public required ThumbnailSettings Thumbnails { get; init; }
    public required RenditionSettings Renditions { get; init; }
    public required RateLimitSettings RateLimits { get; init; }
    public required DeliverySettings Delivery { get; init; }
    public required EventSettings Events { get; init; }
    public required RetentionSettings Retention { get; init; }
    public required SharingSettings Sharing { get; init; }
    public required OperatorSettings Operator { get; init; }
    public required TelemetrySettings Telemetry { get; init; }

    /// <summary>The folder that holds images, keys and, with SQLite, the database. From the command line, never from a file.</summary>
    public required string DataFolder { get; set; }

    /// <summary>What this node does. From the command line, never from a file.</summary>
    public NodeRole Role { get; set; }

    /// <summary>All of this as it was written, by name.</summary>
    public IReadOnlyList<SettingInForce> InForce { get; private set; } = [];

    /// <summary>Where keys are, or were before they were brought into the database.</summary>
    public string KeysFolder => Path.Combine(DataFolder, "keys");

    /// <summary>Defaults, then <c>apertur.json</c> in the data folder, then the environment, then <paramref name="overrides"/>.</summary>
    /// <exception cref="InvalidOperationException">A value or a name cannot be used; the message says which.</exception>
    public static Settings Load(string dataFolder, IEnumerable<KeyValuePair<string, string?>>? overrides = null)
    {
        using var defaults = Assembly.GetExecutingAssembly().GetManifestResourceStream("apertur.defaults.json")!;
        Require(dataFolder.Length > 0, "The data folder needs a name.");
        var configuration = Read(() => new ConfigurationBuilder()
            .AddJsonStream(defaults)
            .AddJsonFile(Path.Combine(Path.GetFullPath(dataFolder), "apertur.json"), optional: true)
            .AddEnvironmentVariables("APERTUR__")
            .AddInMemoryCollection(overrides)
            .Build());
        // The defaults name every setting. One that is misspelt would be ignored in silence.
        var known = configuration.Providers.First();
        var unknown = configuration.AsEnumerable()
            .FirstOrDefault(setting => setting.Value is not null && !known.TryGet(setting.Key, out _)).Key;
        Require(unknown is null, $"There is no setting {unknown}.");
        var inForce = configuration.AsEnumerable().Where(setting => setting.Value is not null).OrderBy(setting => setting.Key, StringComparer.Ordinal)
            .Select(setting => new SettingInForce(setting.Key, setting.Value!, known.TryGet(setting.Key, out var byDefault) && byDefault == setting.Value))
            .ToList();
        configuration["DataFolder"] = Path.GetFullPath(dataFolder);
        var settings = Read(() => configuration.Get<Settings>()) ?? throw new InvalidOperationException("No settings could be read.");
        settings.InForce = inForce;
        settings.Check();
        return settings;
    }

    /// <summary>Translates a failure of the configuration library into a message that names the file or the setting.</summary>
    private static T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is InvalidDataException or InvalidOperationException or FormatException)
        {
            throw new InvalidOperationException(exception.GetBaseException() is { } cause && cause != exception
                ? $"{exception.Message} {cause.Message}" : exception.Message);
        }
    }

    /// <summary>What of this the destination types need to know.</summary>
    public DestinationSettings ForDestinations() => new()
    {
        GcsApi = Root(Outbound.CloudStorageUrl),
        DriveApi = Root(OAuth.GoogleDrive.ApiUrl),
        DropboxApi = Root(OAuth.Dropbox.ApiUrl),
        DropboxContent = Root(OAuth.Dropbox.ContentUrl),
        GoogleDrive = OAuth.GoogleDrive.Client,
        Dropbox = OAuth.Dropbox.Client,
    };

    // Paths are put below it, which takes a slash at its end.
    private static Uri Root(string url) => new(url.TrimEnd('/') + "/");

    private void Check()
    {
        Require(Limits.DefaultImagesPerSession >= 1 && Limits.DefaultImagesPerSession <= Limits.MaxImagesPerSession,
            "Limits:DefaultImagesPerSession must be between 1 and Limits:MaxImagesPerSession.");
        Require(Limits.DefaultImageSizeMb >= 1 && Limits.DefaultImageSizeMb <= Limits.MaxImageSizeMb,
            "Limits:DefaultImageSizeMb must be between 1 and Limits:MaxImageSizeMb.");
        Require(Limits.DefaultSessionHours >= 1 && Limits.DefaultSessionHours <= Limits.MaxSessionHours,
            "Limits:DefaultSessionHours must be between 1 and Limits:MaxSessionHours.");
        Require(Limits.EnvelopesAtOnce >= 1, "Limits:EnvelopesAtOnce must be at least 1.");
        Require(Sources is { FetchesAtOnce: >= 1, FetchesPerSession: >= 1, FetchesPerAddress: >= 1 }, "Sources: numbers of fetches must be at least 1.");
        foreach (var (name, id) in Sources.Ids)
            Require(id.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '.' or '_'), $"{name} is no id as providers give them.");
        Require(Sources.GoogleDrive is { ClientId: "", ApiKey: "", AppId: "" } or { ClientId: not "", ApiKey: not "", AppId: not "" },
            "Sources:GoogleDrive:ClientId, ApiKey and AppId are needed together.");
        Require(Sources.Box is { ClientId: "", ClientSecret: "" } or { ClientId: not "", ClientSecret: not "" },
            "Sources:Box:ClientId and ClientSecret are needed together.");
        Require(Storage.QuarantineDays >= 1, "Storage:QuarantineDays must be at least 1.");
        Require(Storage.PartialUploadHours >= 1, "Storage:PartialUploadHours must be at least 1.");
        Require((Storage.Kind != StorageKind.S3 && Storage.ReadAlso != StorageKind.S3) || Storage.HasS3,
            "Storage:S3:Bucket, Region, AccessKeyId and SecretAccessKey are needed to keep photos in an object store.");
        Require(Storage.ReadAlso != Storage.Kind, "Storage:ReadAlso must be another place than Storage:Kind.");
        Require(Keys.Place == KeysPlace.Folder || Database.Provider == DatabaseProvider.PostgreSql,
            "Keys:Place can be Database only with PostgreSql: a SQLite database and its keys belong to one node.");
        Require(Keys.Place == KeysPlace.Folder || (Keys.WrappingKey.Length > 0) != (Keys.WrappingKeyFile.Length > 0),
            "Keys:WrappingKey or Keys:WrappingKeyFile is needed to keep keys in the database, and only one of them.");
        Require(Storage.S3.BufferMb >= 32, "Storage:S3:BufferMb must be at least 32.");
        Require(Storage.S3.Endpoint.Length == 0 || (Uri.TryCreate(Storage.S3.Endpoint, UriKind.Absolute, out var store)
                && store is { Scheme: "http" or "https", UserInfo: "", PathAndQuery: "/" }),
            "Storage:S3:Endpoint must be an http or https address without a path.");
        Require(Thumbnails.AtOnce >= 0 && Thumbnails.MemoryMb >= 64 && Thumbnails.CpuSeconds >= 1,
            "Thumbnails:AtOnce must be at least 0, MemoryMb at least 64, CpuSeconds at least 1.");
        Require(Renditions.AtOnce >= 1 && Renditions.MemoryMb >= 64 && Renditions.CpuSeconds >= 1,
            "Renditions:AtOnce must be at least 1, MemoryMb at least 64, CpuSeconds at least 1.");
        Require(RateLimits.IsPositive, "RateLimits must all be at least 1; RateLimits:Enabled=false switches them off.");
        Require(AddressRanges.Problem(Server.TrustedProxyList) is null, "Server:TrustedProxies must be addresses or networks, separated by commas.");
        Require(Delivery.Lanes >= 1 && Delivery.LanesPerDestination >= 1, "Delivery:Lanes and LanesPerDestination must be at least 1.");
        Require(Delivery.MaxLanesPerDestination >= Delivery.LanesPerDestination, "Delivery:MaxLanesPerDestination must be at least LanesPerDestination.");
        Require(Delivery.StopSeconds is >= 0 and <= 40, "Delivery:StopSeconds must be between 0 and 40: claims are not extended while the server stops.");
        Require(Delivery.RetrySeconds.Split(',').All(text => int.TryParse(text, out var seconds) && seconds >= 0),
            "Delivery:RetrySeconds must be whole seconds, separated by commas.");
        Require(Events.Lanes >= 1 && Events.LanesPerWebhook >= 1, "Events:Lanes and LanesPerWebhook must be at least 1.");
        Require(Events.MaxLanesPerWebhook >= Events.LanesPerWebhook, "Events:MaxLanesPerWebhook must be at least LanesPerWebhook.");
        Require(Events.TimeoutSeconds >= 1 && Events.KeepDays >= 1, "Events:TimeoutSeconds and KeepDays must be at least 1.");
        Require(Retention is { AuditDays: >= 1, AttemptDays: >= 1, SessionDays: >= 1, IdempotencyHours: >= 1 }, "Retention ages must all be at least 1.");
        Require(Sharing.EmailTransport == EmailTransport.None || Sharing.EmailFrom.Contains('@'), "Sharing:EmailFrom is needed to send e-mail.");
        Require(Operator.Email.Length == 0 || (Sharing.EmailTransport != EmailTransport.None && InternetAddressList.TryParse(Operator.Email, out _)),
            "Operator:Email must be e-mail addresses, separated by commas, and needs Sharing:EmailTransport.");
        Require(Sharing.EmailTransport != EmailTransport.Smtp || Sharing.SmtpHost.Length > 0, "Sharing:SmtpHost is needed to send e-mail by SMTP.");
        Require(Sharing.SmsUrl.Length == 0 || Sharing.SmsBody.Contains("{text}", StringComparison.Ordinal) || Sharing.SmsUrl.Contains("{text}", StringComparison.Ordinal),
            "Sharing:SmsBody or SmsUrl must hold {text}.");
        Require(Database.Provider is not DatabaseProvider.PostgreSql || Database.ConnectionString.Length > 0,
            "Database:ConnectionString is needed for PostgreSql.");
        Require(Database.LockWaitSeconds is >= 0 and <= 60 && Database.IdleTransactionSeconds is >= 0 and <= 60,
            "Database:LockWaitSeconds and IdleTransactionSeconds must be between 0 and 60.");
        foreach (var (name, text) in OAuth.Addresses.Append(("Outbound:CloudStorageUrl", Outbound.CloudStorageUrl)))
        {
            Require(Uri.TryCreate(text, UriKind.Absolute, out var address) && address is { Scheme: "http" or "https", UserInfo: "" },
                $"{name} must be an absolute http or https address.");
        }

        Require(!OpenId.IsOn || (Uri.TryCreate(OpenId.Authority, UriKind.Absolute, out var provider) && provider is { UserInfo: "", Query: "", Fragment: "" }
                && (provider.Scheme == "https" || (provider.Scheme == "http" && provider.IsLoopback))),
            "OpenId:Authority must be an https address; http only for a provider on this machine.");
        Require(!OpenId.IsOn || (OpenId.ClientId.Length > 0 && OpenId.Name.Length > 0), "OpenId:ClientId and OpenId:Name are needed for single sign-on.");
        Require(Telemetry.MetricsUrl.Length == 0 || (Uri.TryCreate(Telemetry.MetricsUrl, UriKind.Absolute, out var metrics)
                && metrics is { Scheme: "http", PathAndQuery: "/" }),
            "Telemetry:MetricsUrl must be an http address without a path, such as http://127.0.0.1:9464.");
        Require(Server.PublicUrl.Length == 0 || (Uri.TryCreate(Server.PublicUrl, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"),
            "Server:PublicUrl must be an absolute http or https address.");
    }

    private static void Require(bool holds, string message)
    {
        if (!holds)
            throw new InvalidOperationException(message);
    }
}

internal sealed class ServerSettings
{
    public required string PublicUrl { get; init; }

    /// <summary>As written: addresses or networks, separated by commas.</summary>
    public required string TrustedProxies { get; init; }

    public IReadOnlyList<string> TrustedProxyList =>
        TrustedProxies.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

internal enum DatabaseProvider
{
    Sqlite,
    PostgreSql,
}

internal sealed class DatabaseSettings
{
    public required DatabaseProvider Provider { get; init; }
    public required string ConnectionString { get; init; }
    public required int LockWaitSeconds { get; init; }
    public required int IdleTransactionSeconds { get; init; }
    public required bool AllowDataLoss { get; init; }
}

internal enum LogFormat
{
    Text,
    Json,
}

internal sealed class TelemetrySettings
{
    public required string MetricsUrl { get; init; }
    public required LogFormat LogFormat { get; init; }
}

internal sealed class OutboundSettings
{
    public required bool AllowPrivateNetworks { get; init; }
    public required string CloudStorageUrl { get; init; }
}

internal sealed class OAuthSettings
{
    public required OAuthProviderSettings GoogleDrive { get; init; }
    public required DropboxSettings Dropbox { get; init; }

    /// <summary>Every address here with the name of its setting.</summary>
    public IEnumerable<(string Name, string Url)> Addresses =>
    [
        ("OAuth:GoogleDrive:AuthorizeUrl", GoogleDrive.AuthorizeUrl), ("OAuth:GoogleDrive:TokenUrl", GoogleDrive.TokenUrl),
        ("OAuth:GoogleDrive:ApiUrl", GoogleDrive.ApiUrl), ("OAuth:Dropbox:AuthorizeUrl", Dropbox.AuthorizeUrl),
        ("OAuth:Dropbox:TokenUrl", Dropbox.TokenUrl), ("OAuth:Dropbox:ApiUrl", Dropbox.ApiUrl),
        ("OAuth:Dropbox:ContentUrl", Dropbox.ContentUrl),
    ];
}

internal class OAuthProviderSettings
{
    public required string ClientId { get; init; }
    public required string ClientSecret { get; init; }
    public required string Scope { get; init; }
    public required string AuthorizeUrl { get; init; }
    public required string TokenUrl { get; init; }
    public required string ApiUrl { get; init; }

    public OAuthClient Client => new()
    {
        ClientId = ClientId,
        ClientSecret = ClientSecret,
        Scope = Scope,
        AuthorizeEndpoint = new Uri(AuthorizeUrl),
        TokenEndpoint = new Uri(TokenUrl),
    };
}

internal sealed class DropboxSettings : OAuthProviderSettings
{
    public required string ContentUrl { get; init; }
}

internal sealed class OpenIdSettings
{
    public required string Authority { get; init; }
    public required string ClientId { get; init; }
    public required string ClientSecret { get; init; }
    public required string Name { get; init; }

    /// <summary>As written: domains, separated by commas, or a star.</summary>
    public required string NewAccountDomains { get; init; }

    public required bool AllowPrivateNetworks { get; init; }

    public bool IsOn => Authority.Length > 0;

    /// <summary>Whether somebody with that address gets an account without an invitation; such people come by signing in only.</summary>
    public bool LetsIn(string email) =>
        IsOn && NewAccountDomains.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Any(domain => domain == "*" || email.EndsWith("@" + domain, StringComparison.OrdinalIgnoreCase));
}

internal sealed class LimitSettings
{
    public required int DefaultImagesPerSession { get; init; }
    public required int MaxImagesPerSession { get; init; }
    public required int DefaultImageSizeMb { get; init; }
    public required int MaxImageSizeMb { get; init; }
    public required int DefaultSessionHours { get; init; }
    public required int MaxSessionHours { get; init; }
    public required int MinUploadBytesPerSecond { get; init; }
    public required int MaxUploadMinutes { get; init; }
    public required int EnvelopesAtOnce { get; init; }
}

internal sealed class SourceSettings
{
    public required bool Url { get; init; }
    public required bool AllowPrivateNetworks { get; init; }
    public required int FetchesAtOnce { get; init; }
    public required int FetchesPerSession { get; init; }
    public required int FetchesPerAddress { get; init; }
    public required GoogleDriveSourceSettings GoogleDrive { get; init; }
    public required ClientSourceSettings GooglePhotos { get; init; }
    public required DropboxSourceSettings Dropbox { get; init; }
    public required ClientSourceSettings OneDrive { get; init; }
    public required BoxSourceSettings Box { get; init; }

    /// <summary>Every id of this server at a provider, with the name of its setting.</summary>
    public IEnumerable<(string Name, string Id)> Ids =>
    [
        ("Sources:GoogleDrive:ClientId", GoogleDrive.ClientId), ("Sources:GoogleDrive:ApiKey", GoogleDrive.ApiKey),
        ("Sources:GoogleDrive:AppId", GoogleDrive.AppId), ("Sources:GooglePhotos:ClientId", GooglePhotos.ClientId),
        ("Sources:Dropbox:AppKey", Dropbox.AppKey), ("Sources:OneDrive:ClientId", OneDrive.ClientId),
        ("Sources:Box:ClientId", Box.ClientId),
    ];
}

internal class ClientSourceSettings
{
    public required string ClientId { get; init; }
}

internal sealed class GoogleDriveSourceSettings : ClientSourceSettings
{
    public required string ApiKey { get; init; }
    public required string AppId { get; init; }
}

internal sealed class BoxSourceSettings : ClientSourceSettings
{
    public required string ClientSecret { get; init; }
}

internal sealed class DropboxSourceSettings
{
    public required string AppKey { get; init; }
}

internal enum NodeRole
{
    All,

    /// <summary>Answers requests, and leaves deliveries and cleanups to others.</summary>
    Web,

    /// <summary>Delivers and cleans up, and answers nobody but its supervisor.</summary>
    Worker,
}

internal enum KeysPlace
{
    Folder,
    Database,
}

internal sealed class KeysSettings
{
    private const int LeastBytes = 32;

    public required KeysPlace Place { get; init; }
    public required string WrappingKey { get; init; }
    public required string WrappingKeyFile { get; init; }

    /// <exception cref="InvalidOperationException">There is none that can be used.</exception>
    public byte[] ReadWrappingKey()
    {
        try
        {
            var key = Convert.FromBase64String(WrappingKey.Length > 0 ? WrappingKey : File.ReadAllText(WrappingKeyFile));
            if (key.Length >= LeastBytes)
                return key;
        }
        catch (Exception exception) when (exception is FormatException or IOException or UnauthorizedAccessException)
        {
        }

        throw new InvalidOperationException(
            "Keys:WrappingKey, or the file that Keys:WrappingKeyFile names, must hold at least 32 bytes in base64, as 'openssl rand -base64 32' makes them.");
    }
}

internal enum StorageKind
{
    Folder,
    S3,
}

internal sealed class StorageSettings
{
    public required StorageKind Kind { get; init; }
    public required StorageKind? ReadAlso { get; init; }
    public required int QuarantineDays { get; init; }
    public required int PartialUploadHours { get; init; }
    public required S3StorageSettings S3 { get; init; }

    /// <summary>Whether the settings name a bucket and who may use it.</summary>
    public bool HasS3 => new[] { S3.Bucket, S3.Region, S3.AccessKeyId, S3.SecretAccessKey }.All(text => text.Length > 0);
}

internal sealed class S3StorageSettings
{
    public required string Endpoint { get; init; }
    public required string Bucket { get; init; }
    public required string Prefix { get; init; }
    public required string Region { get; init; }
    public required string AccessKeyId { get; init; }
    public required string SecretAccessKey { get; init; }
    public required bool PathStyle { get; init; }
    public required bool AllowPrivateNetworks { get; init; }
    public required int BufferMb { get; init; }
}

internal sealed class ThumbnailSettings
{
    public required int AtOnce { get; init; }
    public required int MemoryMb { get; init; }
    public required int CpuSeconds { get; init; }
    public required string HeicLibrary { get; init; }
}

internal sealed class RenditionSettings
{
    public required int AtOnce { get; init; }
    public required int MemoryMb { get; init; }
    public required int CpuSeconds { get; init; }
}

/// <summary>Requests in one minute.</summary>
internal sealed class RateLimitSettings
{
    public required bool Enabled { get; init; }
    public required int SessionCreations { get; init; }
    public required int Lists { get; init; }
    public required int OtherCalls { get; init; }
    public required int PerSession { get; init; }
    public required int PerAddress { get; init; }
    public required int FailuresPerAddress { get; init; }

    public bool IsPositive => new[] { SessionCreations, Lists, OtherCalls, PerSession, PerAddress, FailuresPerAddress }.All(limit => limit >= 1);
}

internal sealed class DeliverySettings
{
    public required int Lanes { get; init; }
    public required int LanesPerDestination { get; init; }
    public required int MaxLanesPerDestination { get; init; }

    /// <summary>As written: seconds, separated by commas.</summary>
    public required string RetrySeconds { get; init; }

    public required int AttemptMinutes { get; init; }
    public required int StopSeconds { get; init; }
}

internal sealed class EventSettings
{
    public required int Lanes { get; init; }
    public required int LanesPerWebhook { get; init; }
    public required int MaxLanesPerWebhook { get; init; }
    public required int TimeoutSeconds { get; init; }
    public required int KeepDays { get; init; }
}

internal sealed class RetentionSettings
{
    public required int AuditDays { get; init; }
    public required int AttemptDays { get; init; }
    public required int SessionDays { get; init; }
    public required int IdempotencyHours { get; init; }

    public TimeSpan IdempotencyTime => TimeSpan.FromHours(IdempotencyHours);
}

internal sealed class OperatorSettings
{
    /// <summary>As written: addresses, separated by commas.</summary>
    public required string Email { get; init; }

    public required int WarnBelowFreeMb { get; init; }
}

internal enum EmailTransport
{
    None,
    Smtp,
    Folder,
}

internal enum SmtpSecurity
{
    StartTls,
    Tls,
    None,
}

internal sealed class SharingSettings
{
    public required EmailTransport EmailTransport { get; init; }
    public required string EmailFrom { get; init; }
    public required string SmtpHost { get; init; }
    public required int SmtpPort { get; init; }
    public required SmtpSecurity SmtpSecurity { get; init; }
    public required string SmtpUser { get; init; }
    public required string SmtpPassword { get; init; }
    public required string SmsUrl { get; init; }
    public required string SmsContentType { get; init; }
    public required string SmsBody { get; init; }
    public required string SmsAuthorization { get; init; }
}
