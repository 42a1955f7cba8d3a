using System.Security.Cryptography;
using Apertur.Server.Encryption;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Encryption;

public sealed class ServerKeyPairTests
{
    [Theory, AllDatabases]
    public async Task Key_stays_the_same_and_its_private_half_is_unreadable_in_the_database(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var before = await app.ServerKeyAsync();
        using var key = RSA.Create();
        key.ImportFromPem(before);

        await app.RestartAsync();

        Assert.Equal(before, await app.ServerKeyAsync());
        Assert.Equal(ServerKeyPair.Bits, key.KeySize);
        Assert.StartsWith("-----BEGIN PUBLIC KEY-----\n", before, StringComparison.Ordinal);
        var session = await app.Client.CreateSessionAsync();
        Assert.Equal(before, (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["serverPublicKey"]!);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.DoesNotContain("PRIVATE", (await db.EncryptionKeys.SingleAsync(TestContext.Current.CancellationToken)).PrivateKey, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Nodes_that_start_at_once_agree_on_one_key(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var shared = app.Services.GetRequiredService<Database>();
        await shared.WriteAsync(
            db => db.EncryptionKeys.ExecuteDeleteAsync(TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        // All of them have looked, and found none, before the first writes.
        using var together = new Barrier(4);
        var nodes = Enumerable.Range(0, 4).Select(_ => new ServerKeyPair(
            shared, app.Services.GetRequiredService<ColumnEncryption>(), app.Clock, () =>
            {
                together.SignalAndWait(TestContext.Current.CancellationToken);
                return RSA.Create(2048);
            })).ToList();

        await Task.WhenAll(nodes.Select(node => Task.Factory.StartNew(
            () => node.LoadAsync(TestContext.Current.CancellationToken),
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));

        Assert.Single(nodes.Select(node => node.PublicKey).Distinct());
        foreach (var node in nodes)
        {
            using var key = node.OpenPrivate();
            Assert.Equal(node.PublicKey.Trim(), key.ExportSubjectPublicKeyInfoPem());
        }
    }

    [Theory, AllDatabases]
    public async Task Server_without_its_key_files_says_so_instead_of_starting(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        await db.EncryptionKeys.ExecuteUpdateAsync(
            key => key.SetProperty(k => k.PrivateKey, "not ours"), TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(app.RestartAsync);

        Assert.Contains("keys/", failure.Message, StringComparison.Ordinal);
    }
}
