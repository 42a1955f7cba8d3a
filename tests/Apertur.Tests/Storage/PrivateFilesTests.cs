using System.Runtime.Versioning;
using Apertur.Tests.Support;

namespace Apertur.Tests.Storage;

[UnsupportedOSPlatform("windows")]
public sealed class PrivateFilesTests
{
    private const UnixFileMode Everybody = (UnixFileMode)0b111_111_111;
    private const UnixFileMode GroupAndOthers = (UnixFileMode)0b111_111;

    [Fact]
    public async Task Nobody_else_can_read_what_the_server_makes_in_a_folder_that_is_open_to_all()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        using var data = new TempFolder();
        File.SetUnixFileMode(data.Path, Everybody);
        await using var server = await AperturProcess.ServeAsync(data.Path, await AperturProcess.InitAsync(data.Path));
        var upload = await server.Client.UploadAsync(await server.Client.CreateSessionAsync(), Photos.Jpeg());
        // Whether there is one depends on the machine.
        await server.Client.GetAsync($"uploads/{upload["id"]}/thumbnail");

        var made = Directory.GetFileSystemEntries(data.Path, "*", SearchOption.AllDirectories);

        foreach (var name in new[] { "apertur.db", "apertur.db-wal", "apertur.db-shm", "server-secret", (string)upload["id"]! })
            Assert.Contains(name, made.Select(Path.GetFileName));
        Assert.DoesNotContain(made, path => (File.GetUnixFileMode(path) & GroupAndOthers) != 0);
        Assert.Equal(Everybody, File.GetUnixFileMode(data.Path));
    }
}
