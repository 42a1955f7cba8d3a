using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
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
    public async Task Each_test_has_an_empty_database_of_its_own(Database kind)
    {
        await using var first = await TestDatabase.Create(kind);
        await using var second = await TestDatabase.Create(kind);

        await Execute(first, "CREATE TABLE only_here (id INTEGER)");
        await Execute(second, "CREATE TABLE only_here (id INTEGER)");

        Assert.NotEqual(first.ConnectionString, second.ConnectionString);
    }

    [Fact]
    public async Task PostgreSql_database_is_gone_when_the_test_is_over()
    {
        var database = await TestDatabase.Create(Database.PostgreSql);
        await Execute(database, "SELECT 1");
        await database.DisposeAsync();
        NpgsqlConnection.ClearAllPools();

        var refusal = await Assert.ThrowsAsync<PostgresException>(() => Execute(database, "SELECT 1"));

        Assert.Equal(PostgresErrorCodes.InvalidCatalogName, refusal.SqlState);
    }

    [Fact]
    public async Task S3_keeps_bytes_and_refuses_a_wrong_signature()
    {
        using var s3 = S3(Components.S3SecretKey);
        using var stranger = S3("guessed");
        var bucket = $"ground-{Guid.NewGuid():N}";
        var photo = Photos.Jpeg(20_000, seed: 3);
        await s3.PutBucketAsync(bucket, Cancellation);
        await s3.PutObjectAsync(
            new PutObjectRequest { BucketName = bucket, Key = "a/b.jpg", InputStream = new MemoryStream(photo), UseChunkEncoding = false },
            Cancellation);

        using var stored = await s3.GetObjectAsync(bucket, "a/b.jpg", Cancellation);
        using var copy = new MemoryStream();
        await stored.ResponseStream.CopyToAsync(copy, Cancellation);
        var refusal = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => stranger.GetObjectAsync(bucket, "a/b.jpg", Cancellation));

        Assert.Equal(photo, copy.ToArray());
        Assert.Equal("SignatureDoesNotMatch", refusal.ErrorCode);
    }

    [Fact]
    public async Task Qr_code_is_read_back()
    {
        using var code = QRCodeGenerator.GenerateQrCode("http://127.0.0.1/u/1", QRCodeGenerator.ECCLevel.M);
        using var png = new PngByteQRCode(code);

        Assert.Equal("http://127.0.0.1/u/1", await QrScan.Read(png.GetGraphic(8)));
    }

    [Fact]
    public void Chromium_is_where_it_is_said_to_be() => Assert.True(File.Exists(Components.Chromium));

    [Fact]
    public async Task Condition_that_comes_true_ends_the_wait()
    {
        var read = 0;

        var value = await Eventually.Becomes(() => Task.FromResult(++read), value => value == 3);

        Assert.Equal(3, value);
    }

    private static AmazonS3Client S3(string secret) => new(
        new BasicAWSCredentials(Components.S3AccessKey, secret),
        new AmazonS3Config
        {
            ServiceURL = Components.S3Endpoint.ToString(),
            AuthenticationRegion = Components.S3Region,
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });

    private static async Task Execute(TestDatabase database, string sql)
    {
        await using System.Data.Common.DbConnection connection = database.Kind == Database.Sqlite
            ? new Microsoft.Data.Sqlite.SqliteConnection(database.ConnectionString)
            : new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Cancellation);
    }
}
