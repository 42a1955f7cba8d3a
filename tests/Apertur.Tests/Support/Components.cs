using System.Globalization;

namespace Apertur.Tests.Support;

/// <summary>The object stores that tests run on. Swift alone where a test is not about what they do differently.</summary>
public enum S3Service
{
    /// <summary>OpenStack Swift, which refuses conditional writes (501).</summary>
    Swift,

    /// <summary>Ceph's object gateway, which carries them out (412).</summary>
    Ceph,
}

/// <summary>
/// The real programs that tests talk to; <c>./test</c> starts them and hands over where they are. One that is missing skips the test on a
/// laptop and fails it where <c>CI=true</c>: there nothing may go unnoticed.
/// </summary>
internal static class Components
{
    /// <summary>Npgsql connection string to the database <c>postgres</c>, as superuser.</summary>
    public static string PostgreSql => Handed("APERTUR_TEST_POSTGRES", "PostgreSQL");

    /// <summary>Address of an S3 service that verifies signatures; a bucket in it is a <see cref="Destinations.Bucket"/>.</summary>
    public static string S3Endpoint(S3Service service) => service == S3Service.Swift
        ? Handed("APERTUR_TEST_S3_ENDPOINT", "OpenStack Swift")
        : Handed("APERTUR_TEST_CEPH_ENDPOINT", "Ceph");

    /// <summary>Path of the browser's executable.</summary>
    public static string Chromium => Handed("APERTUR_TEST_CHROMIUM", "Chromium");

    /// <summary>Full path of a program on the PATH.</summary>
    public static string Program(string name) =>
        Find(name) ?? throw Missing(name);

    /// <inheritdoc cref="Program"/>
    /// <returns>Null when it is not there, and nothing comes of that.</returns>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>
    /// Skips the test where this process may not mount a file system on a loop device: only Linux's root may, and in most containers not even
    /// root. No installation changes that, so it is no failure with <c>CI=true</c>.
    /// </summary>
    public static void RequireMounting()
    {
        const int SysAdmin = 21;
        var effective = File.Exists("/proc/self/status")
            ? File.ReadLines("/proc/self/status").First(line => line.StartsWith("CapEff:", StringComparison.Ordinal))["CapEff:".Length..].Trim()
            : "0";
        var may = (ulong.Parse(effective, NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> SysAdmin & 1) == 1;
        Assert.SkipUnless(may && File.Exists("/dev/loop-control"), "No file system may be mounted here.");
    }

    private static string Handed(string variable, string name) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : throw Missing(name);

    private static InvalidOperationException Missing(string name)
    {
        var reason = $"{name} is not here; ./test installs and starts it.";
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason);
        Assert.Skip(reason);
        return new InvalidOperationException(reason);
    }
}
