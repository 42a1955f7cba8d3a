using System.Security.Cryptography;
using Npgsql;
using QRCoder;

namespace Apertur.Tests.Support;

/// <summary>The ground that the other tests stand on.</summary>
public sealed class SupportTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_533)]
    [InlineData(65_534)]
    [InlineData(65_537)]
    [InlineData(65_538)]
    [InlineData(2_500_000)]
    public void Jpeg_has_exactly_the_size_asked_for_and_whole_segments(int more)
    {
        var size = Photos.SmallestJpeg + more;

        var image = Photos.Jpeg(size, seed: 1);

        Assert.Equal(size, image.Length);
        Assert.Equal([0xFF, 0xD8, 0xFF, 0xE0], image[..4]);
        Assert.Equal([0xFF, 0xD9], image[^2..]);
        var at = 2;
        while (image[at + 1] != 0xDA)
        {
            Assert.Equal(0xFF, image[at]);
            at += 2 + (image[at + 2] << 8) + image[at + 3];
        }
    }

    [Fact]
    public void Jpegs_of_different_seeds_differ_and_of_one_seed_do_not()
    {
        Assert.Equal(SHA256.HashData(Photos.Jpeg(2_000, seed: 1)), SHA256.HashData(Photos.Jpeg(2_000, seed: 1)));
        Assert.NotEqual(SHA256.HashData(Photos.Jpeg(2_000, seed: 1)), SHA256.HashData(Photos.Jpeg(2_000, seed: 2)));
    }

    [Theory, AllDatabases]
    public async Task Each_test_has_an_empty_database_of_its_own(DatabaseKind kind)
    {
        await using var first = await TestDatabase.CreateAsync(kind);
        await using var second = await TestDatabase.CreateAsync(kind);

        await ExecuteAsync(first, "CREATE TABLE only_here (id INTEGER)");
        await ExecuteAsync(second, "CREATE TABLE only_here (id INTEGER)");

        Assert.NotEqual(first.ConnectionString, second.ConnectionString);
    }

    [Fact]
    public async Task PostgreSql_database_is_gone_when_the_test_is_over()
    {
        var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        await ExecuteAsync(database, "SELECT 1");
        await database.DisposeAsync();
        NpgsqlConnection.ClearAllPools();

        var refusal = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(database, "SELECT 1"));

        Assert.Equal(PostgresErrorCodes.InvalidCatalogName, refusal.SqlState);
    }

    [Fact]
    public async Task Qr_code_is_read_back()
    {
        using var code = QRCodeGenerator.GenerateQrCode("http://127.0.0.1/u/1", QRCodeGenerator.ECCLevel.M);
        using var png = new PngByteQRCode(code);

        Assert.Equal("http://127.0.0.1/u/1", await QrScan.ReadAsync(png.GetGraphic(8)));
    }

    [Theory]
    [InlineData(true, "scripts run")]
    [InlineData(false, "no scripts")]
    public async Task Browser_opens_a_page_as_a_phone_does(bool javaScript, string seen)
    {
        await using var browser = await Browser.StartAsync();

        var page = await browser.OpenAsync(
            "data:text/html,<p>no scripts</p><script>document.querySelector('p').textContent = 'scripts run'</script>",
            Browser.Phone, javaScript);

        Assert.Equal(seen, await page.TextContentAsync("p"));
        Assert.Equal(390, page.ViewportSize?.Width);
    }

    [Fact]
    public async Task Condition_that_comes_true_ends_the_wait()
    {
        var read = 0;

        var value = await Eventually.Becomes(() => Task.FromResult(++read), value => value == 3);

        Assert.Equal(3, value);
    }

    private static async Task ExecuteAsync(TestDatabase database, string sql)
    {
        await using System.Data.Common.DbConnection connection = database.Kind == DatabaseKind.Sqlite
            ? new Microsoft.Data.Sqlite.SqliteConnection(database.ConnectionString)
            : new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Cancellation);
    }
}
