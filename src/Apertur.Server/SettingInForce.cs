namespace Apertur.Server;

/// <summary>One setting as it is in force.</summary>
/// <param name="Name">With its section, as <c>Delivery:Lanes</c>.</param>
/// <param name="Value">As it was written.</param>
/// <param name="IsDefault">Whether nobody has set it to anything else.</param>
internal sealed record SettingInForce(string Name, string Value, bool IsDefault)
{
    private const string Mask = "********";

    // By the last word of the name, in whatever case it was written; the whole of what has a password, or may have one, somewhere inside.
    private static readonly string[] _secrets =
        ["Secret", "Password", "SecretAccessKey", "WrappingKey", "Authorization", "ConnectionString", "SmsUrl", "SmsBody"];

    public bool IsSecret => _secrets.Any(secret => Name.EndsWith(secret, StringComparison.OrdinalIgnoreCase));

    /// <summary>The value as people may see it.</summary>
    public string Shown => IsSecret && Value.Length > 0 && !IsDefault ? Mask : Value;
}
