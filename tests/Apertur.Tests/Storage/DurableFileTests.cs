using Apertur.Server.Storage;
using Apertur.Tests.Support;

namespace Apertur.Tests.Storage;

public sealed class DurableFileTests
{
    [Fact]
    public void Small_file_replaces_another_and_leaves_no_draft()
    {
        using var folder = new TempFolder();
        var path = folder.File("state");

        DurableFile.Write(path, "first and longer"u8);
        DurableFile.Write(path, "second"u8);

        Assert.Equal("second", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Name_that_is_taken_stays_as_it_was()
    {
        using var folder = new TempFolder();
        var path = folder.File("state");
        DurableFile.Write(path, "first"u8, overwrite: false);

        Assert.Throws<IOException>(() => DurableFile.Write(path, "second"u8, overwrite: false));

        Assert.Equal("first", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Folder_is_made_with_those_above_it()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "a", "b", "c");

        DurableFile.CreateDirectory(path);
        DurableFile.CreateDirectory(path);

        Assert.True(Directory.Exists(path));
    }
}
