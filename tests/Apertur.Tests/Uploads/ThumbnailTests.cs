using System.Net;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;

namespace Apertur.Tests.Uploads;

public sealed class ThumbnailTests
{
    public static TheoryData<string, byte[]> Kinds => new()
    {
        { "jpeg", Photos.Jpeg() },
        { "png", Photos.Png() },
        { "webp", Photos.WebP() },
        { "heic", Photos.Heic() },
    };

    [Theory, MemberData(nameof(Kinds))]
    public async Task Every_kind_of_photo_has_a_small_jpeg(string kind, byte[] photo)
    {
        await using var app = await StartAsync(Components.Program("vipsthumbnail"));
        var session = await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;

        var first = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);
        var second = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        Assert.True(first.Bytes is [0xFF, 0xD8, 0xFF, ..], kind);
        Assert.Equal(first.Bytes, second.Bytes);
        Assert.True(await HasThumbnailAsync(app, session));
    }

    [Fact]
    public async Task Many_who_ask_at_once_get_the_same_thumbnail()
    {
        await using var app = await StartAsync(Components.Program("vipsthumbnail"));
        var session = await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(200_000, seed: 3)))["id"]!;

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.Client.GetAsync($"uploads/{id}/thumbnail")));

        Assert.Single(answers.Select(answer => Convert.ToHexString(answer.Expect(HttpStatusCode.OK).Bytes)).Distinct());
    }

    [Fact]
    public async Task Thumbnail_goes_with_its_image()
    {
        await using var app = await StartAsync(Components.Program("vipsthumbnail"));
        var session = await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Photo_that_cannot_be_decoded_has_none_and_harms_nobody()
    {
        await using var app = await StartAsync(Components.Program("vipsthumbnail"));
        var session = await app.Client.CreateSessionAsync();
        // Its header, with the dimensions, is whole; what follows is noise.
        var png = Photos.Png();
        new Random(1).NextBytes(png.AsSpan(40));
        var id = (string)(await app.Client.UploadAsync(session, png))["id"]!;

        for (var time = 0; time < 2; time++)
            (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);

        Assert.Equal(png, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
    }

    [Fact]
    public async Task Encrypted_photo_has_none()
    {
        await using var app = await StartAsync(Components.Program("vipsthumbnail"));
        using var owner = System.Security.Cryptography.RSA.Create(2048);
        var pem = owner.ExportSubjectPublicKeyInfoPem();
        await EndToEndTests.SetKeyAsync(app, pem);
        var session = await app.Client.CreateSessionAsync();
        var uploaded = await app.PostFormAsync(session, Sealed.Here(pem, Photos.Png()).Bytes(), "a.png.enc", "e2e");

        (await app.Client.GetAsync($"uploads/{(string)uploaded.Json["id"]!}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.False(await HasThumbnailAsync(app, session));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a-program-that-nobody-has")]
    public async Task Without_the_program_there_are_none_and_nothing_else_changes(string program)
    {
        await using var app = await StartAsync(program);
        var session = await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.False(await HasThumbnailAsync(app, session));
    }

    private static Task<AperturApp> StartAsync(string program) =>
        AperturApp.StartAsync(DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Thumbnails:Program"] = program });

    private static async Task<bool> HasThumbnailAsync(AperturApp app, string session)
    {
        var status = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Expect(HttpStatusCode.OK).Json;
        return (bool)status["files"]!.AsArray().Single()!["has_thumbnail"]!;
    }
}
