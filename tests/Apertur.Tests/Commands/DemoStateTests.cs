using Apertur.Server.Commands;
using Apertur.Server.Commands.Demo;
using Apertur.Tests.Support;

namespace Apertur.Tests.Commands;

public sealed class DemoStateTests
{
    [Fact]
    public async Task Demo_goes_on_with_what_it_made()
    {
        using var data = new TempFolder();

        var first = await OpenAsync(data);

        Assert.Equal(first, await OpenAsync(data));
    }

    [Fact]
    public async Task Start_that_was_cut_off_before_there_was_an_owner_is_begun_anew()
    {
        using var data = new TempFolder();
        new DemoState("demo@example.com", "gone", Guid.NewGuid().ToString(), "aptr_live_gone", "gone").Save(data.Path);

        var state = await OpenAsync(data);

        Assert.NotEqual("aptr_live_gone", state.Key);
        Assert.Equal(state, await OpenAsync(data));
    }

    [Fact]
    public async Task Demo_leaves_another_installation_alone()
    {
        using var data = new TempFolder();
        await AperturProcess.InitAsync(data.Path);

        var refusal = await Assert.ThrowsAsync<CommandException>(() => OpenAsync(data));

        Assert.Contains("not a demo", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(data.File("demo.json")));
    }

    [Fact]
    public async Task State_that_cannot_be_read_is_named()
    {
        using var data = new TempFolder();
        await OpenAsync(data);
        await File.WriteAllTextAsync(data.File("demo.json"), "", TestContext.Current.CancellationToken);

        var refusal = await Assert.ThrowsAsync<CommandException>(() => OpenAsync(data));

        Assert.Contains("demo.json cannot be read", refusal.Message, StringComparison.Ordinal);
    }

    private static async Task<DemoState> OpenAsync(TempFolder data)
    {
        await using var folder = await DataFolder.OpenOrMakeAsync(data.Path, TestContext.Current.CancellationToken);
        return await DemoState.OpenAsync(folder.Services, data.Path, TestContext.Current.CancellationToken);
    }
}
