using System.Buffers.Text;
using System.Security.Cryptography;
using System.Xml.Linq;
using Apertur.Server.Storage;
using Apertur.Tests.Support;

namespace Apertur.Tests.Storage;

public sealed class KeyFilesTests
{
    private static readonly Guid _row = Guid.NewGuid();

    [Fact]
    public async Task Damaged_key_file_is_named_before_anything_is_done()
    {
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        var key = KeysIn(data.File("keys")).Single();
        await File.WriteAllBytesAsync(key, [], TestContext.Current.CancellationToken);

        foreach (var command in new string[][] { ["serve", "--urls", "http://127.0.0.1:0"], ["encryption-keys", "rotate"] })
        {
            var (exitCode, output, errors) = await AperturProcess.RunAsync([.. command, "--data", data.Path]);

            Assert.Equal(1, exitCode);
            Assert.Empty(output);
            Assert.StartsWith($"The key file {key} is damaged: restore it from a backup.", errors, StringComparison.Ordinal);
            Assert.Single(errors.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void What_a_crash_left_of_a_key_is_no_key_and_goes_away()
    {
        using var folder = new TempFolder();
        var text = new ColumnEncryption(new KeyFolder(folder.Path)).Protect("a.b", _row, "planted");
        var (old, young) = (folder.File("key-1.xml.1.tmp"), folder.File("key-2.xml.2.tmp"));
        File.WriteAllText(old, "<key ");
        File.WriteAllText(young, "<key ");
        File.SetLastWriteTimeUtc(old, TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-1));

        Assert.Equal("planted", new ColumnEncryption(new KeyFolder(folder.Path)).Unprotect("a.b", _row, text));

        Assert.False(File.Exists(old));
        // It may be somebody else's, who is about to give it its name.
        Assert.True(File.Exists(young));
    }

    [Fact]
    public void Key_that_has_expired_is_followed_by_one_that_is_on_disk_before_it_is_used()
    {
        using var folder = new TempFolder();
        var before = new ColumnEncryption(new KeyFolder(folder.Path)).Protect("a.b", _row, "planted");
        var file = KeysIn(folder.Path).Single();
        var key = XElement.Load(file);
        foreach (var (name, daysAgo) in new[] { ("creationDate", 91), ("activationDate", 91), ("expirationDate", 1) })
            key.Element(name)!.Value = TimeProvider.System.GetUtcNow().AddDays(-daysAgo).ToString("O");
        key.Save(file);

        var encryption = new ColumnEncryption(new KeyFolder(folder.Path));
        var after = encryption.Protect("a.b", _row, "planted");

        Assert.NotEqual(ColumnEncryption.KeyOf(before), ColumnEncryption.KeyOf(after));
        Assert.Contains(folder.File($"key-{ColumnEncryption.KeyOf(after)}.xml"), KeysIn(folder.Path));
        Assert.Equal(2, Directory.GetFiles(folder.Path).Length);
        Assert.Equal("planted", encryption.Unprotect("a.b", _row, before));
    }

    [Fact]
    public void Text_that_a_stranger_made_up_does_not_have_all_keys_set_up_again()
    {
        using var folder = new TempFolder();
        var text = new ColumnEncryption(new KeyFolder(folder.Path)).Protect("a.b", _row, "planted");
        var keys = new CountedKeys(new KeyFolder(folder.Path));
        var encryption = new ColumnEncryption(keys);
        encryption.Unprotect("a.b", _row, text);
        int ReadsOf(string madeUp)
        {
            var before = keys.Reads;
            Assert.ThrowsAny<CryptographicException>(() => encryption.Unprotect("a.b", _row, madeUp));
            return keys.Reads - before;
        }

        Assert.Equal(0, ReadsOf("x"));
        Assert.Equal(0, ReadsOf(Changed(text, at: 40)));
        // The framework looks once more itself while its keys are young.
        Assert.InRange(ReadsOf(Changed(text, at: 10)), 1, 2);
        // One that another process has made is found all the same.
        new ColumnEncryption(new KeyFolder(folder.Path)).MakeKey();
        var theirs = new ColumnEncryption(new KeyFolder(folder.Path)).Protect("a.b", _row, "theirs");
        Assert.Equal("theirs", encryption.Unprotect("a.b", _row, theirs));
    }

    private static string Changed(string text, int at)
    {
        var bytes = Base64Url.DecodeFromChars(text);
        bytes[at] ^= 1;
        return Base64Url.EncodeToString(bytes);
    }

    private sealed class CountedKeys(IKeyStore store) : IKeyStore
    {
        public int Reads { get; private set; }

        public IReadOnlyList<(string Name, byte[] Content)> Read()
        {
            Reads++;
            return store.Read();
        }

        public bool Add(string name, ReadOnlySpan<byte> content) => store.Add(name, content);

        public string PathOf(string name) => store.PathOf(name);
    }

    private static IReadOnlyList<string> KeysIn(string folder) => Directory.GetFiles(folder, "key-*.xml");
}
