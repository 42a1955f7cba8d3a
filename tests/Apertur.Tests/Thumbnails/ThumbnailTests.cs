using System.Net;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Thumbnails;

public sealed class ThumbnailTests
{
    public static TheoryData<string, byte[]> Kinds => new()
    {
        { "jpeg", Photos.Jpeg() },
        { "png", Photos.Png() },
        { "webp", Photos.WebP() },
    };

    [Theory, MemberData(nameof(Kinds))]
    public Task Every_kind_of_photo_has_a_small_jpeg_on_a_bare_machine(string kind, byte[] photo) => HasSmallJpegAsync(kind, photo, library: "");

    [Fact]
    public Task Heic_has_one_where_libvips_is_installed()
    {
        // Not the program is needed, but the library that is installed with it.
        Components.Program("vipsthumbnail");
        return HasSmallJpegAsync("heic", Photos.Heic(), "libvips.so.42");
    }

    [Theory]
    [InlineData("")]
    [InlineData("libvips.so.of-nobody")]
    public async Task Heic_has_none_elsewhere_and_nothing_else_changes(string library)
    {
        await using var app = await StartAsync(library: library);
        var session = await app.Client.CreateSessionAsync();
        var id = await UploadAsync(app, session, Photos.Heic());

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.False(await HasThumbnailAsync(app, session));
        Assert.Null((await RowAsync(app, id)).ThumbnailFailure);
    }

    [Theory]
    [InlineData(".jpg")]
    [InlineData(".png")]
    [InlineData(".webp")]
    public async Task Thumbnail_has_the_shape_that_the_upload_was_answered_with(string suffix)
    {
        await using var app = await StartAsync();
        var uploaded = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Pictures.OnItsSide(suffix));

        var thumbnail = (await app.Client.GetAsync($"uploads/{(string)uploaded["id"]!}/thumbnail")).Expect(HttpStatusCode.OK);

        Assert.Equal((400, 640), ((int)uploaded["width"]!, (int)uploaded["height"]!));
        Assert.Equal((160, 256), Pictures.SizeOf(thumbnail.Bytes));
        Assert.Equal(("nosniff", "max-age=3600, private"), (thumbnail["X-Content-Type-Options"], thumbnail["Cache-Control"]));
    }

    [Fact]
    public async Task Wide_gamut_becomes_what_every_screen_shows()
    {
        await using var app = await StartAsync();
        var photo = await File.ReadAllBytesAsync(
            Path.Combine(AppContext.BaseDirectory, "Photos", "wide-gamut.jpg"), TestContext.Current.CancellationToken);
        var id = await UploadAsync(app, await app.Client.CreateSessionAsync(), photo);

        var thumbnail = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        // Display P3 184, 55, 49.
        Assert.All(Pictures.ColourOf(thumbnail.Bytes).Zip([200.0, 38, 41]), pair => Assert.InRange(pair.First, pair.Second - 8, pair.Second + 8));
    }

    [Fact]
    public async Task Transparency_is_white()
    {
        await using var app = await StartAsync();
        var id = await UploadAsync(app, await app.Client.CreateSessionAsync(), Pictures.Transparent());

        var thumbnail = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        Assert.All(Pictures.ColourOf(thumbnail.Bytes), part => Assert.Equal(255, part));
    }

    [Fact]
    public async Task Many_who_ask_at_once_get_the_same_thumbnail()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(200_000, seed: 3)))["id"]!;

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.Client.GetAsync($"uploads/{id}/thumbnail")));

        Assert.Single(answers.Select(answer => Convert.ToHexString(answer.Expect(HttpStatusCode.OK).Bytes)).Distinct());
    }

    [Fact]
    public async Task Thumbnail_goes_with_its_image()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories));
    }

    [Theory, AllDatabases]
    public async Task Photo_that_cannot_be_decoded_is_tried_once_and_its_reason_kept(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var png = Undecodable();
        var id = await UploadAsync(app, session, png);
        Assert.True(await HasThumbnailAsync(app, session));
        var before = (string)(await StatusAsync(app, session))["lastChanged"]!;

        for (var time = 0; time < 3; time++)
            (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);

        Assert.Equal(1, Tries(app));
        Assert.False(await HasThumbnailAsync(app, session));
        Assert.True(string.CompareOrdinal((string)(await StatusAsync(app, session))["lastChanged"]!, before) > 0);
        Assert.StartsWith("It cannot be decoded", (await RowAsync(app, id)).ThumbnailFailure, StringComparison.Ordinal);
        Assert.Equal(png, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
    }

    [Fact]
    public async Task Failure_of_another_version_is_tried_again()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        var id = await UploadAsync(app, session, Photos.Jpeg());
        await app.Services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                var row = await db.Uploads.SingleAsync();
                (row.ThumbnailFailure, row.ThumbnailFailedBy) = ("It was too much for the one before.", "before");
            },
            TestContext.Current.CancellationToken);

        Assert.True(await HasThumbnailAsync(app, session));
        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Operator_has_failures_listed_and_tried_again(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var id = await UploadAsync(app, await app.Client.CreateSessionAsync(), Undecodable());
        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        app.WriteSettings();

        var listed = await AperturProcess.RunAsync("thumbnails", "list", "--data", app.DataFolder);
        var retried = await AperturProcess.RunAsync("thumbnails", "retry", "--data", app.DataFolder);
        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);

        Assert.Contains(id, listed.Output, StringComparison.Ordinal);
        Assert.Contains("It cannot be decoded", listed.Output, StringComparison.Ordinal);
        Assert.StartsWith("1 images are tried again", retried.Output, StringComparison.Ordinal);
        Assert.Equal(2, Tries(app));
    }

    [Fact]
    public async Task Empty_file_of_an_earlier_version_is_no_thumbnail_and_no_verdict()
    {
        await using var app = await StartAsync();
        var id = await UploadAsync(app, await app.Client.CreateSessionAsync(), Photos.Jpeg());
        var image = Directory.GetFiles(Path.Combine(app.DataFolder, "images"), id, SearchOption.AllDirectories).Single();
        await File.WriteAllBytesAsync(image + ".jpg", [], TestContext.Current.CancellationToken);

        var thumbnail = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        Assert.Equal((Photos.Width, Photos.Height), Pictures.SizeOf(thumbnail.Bytes));
        Assert.Equal([image, image + ".jpg"], Directory.GetFiles(Path.GetDirectoryName(image)!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Picture_of_too_many_pixels_is_not_even_tried()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        var id = await UploadAsync(app, session, Pictures.Huge());

        Assert.False(await HasThumbnailAsync(app, session));
        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.Equal(0, Tries(app));
    }

    [Fact]
    public async Task Picture_that_wants_more_memory_than_it_may_has_none_and_the_server_does_not_notice()
    {
        using var folder = new TempFolder();
        var installation = await AperturProcess.InitAsync(folder.Path);
        await File.WriteAllTextAsync(
            folder.File("apertur.json"), """{ "Thumbnails": { "MemoryMb": 100 } }""", TestContext.Current.CancellationToken);
        await using var server = await AperturProcess.ServeAsync(folder.Path, installation);
        var session = await server.Client.CreateSessionAsync();
        var bomb = (string)(await server.Client.UploadAsync(session, Pictures.MemoryBomb()))["id"]!;
        var good = (string)(await server.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        (await server.Client.GetAsync($"uploads/{good}/thumbnail")).Expect(HttpStatusCode.OK);
        var before = server.MostMemoryMb;

        (await server.Client.GetAsync($"uploads/{bomb}/thumbnail")).Expect(HttpStatusCode.NotFound);

        Assert.InRange(server.MostMemoryMb, 0, before + 40);
        var listed = await AperturProcess.RunAsync("thumbnails", "list", "--data", folder.Path);
        Assert.Contains(bomb, listed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Slow_picture_is_given_up_and_others_do_not_wait_for_it()
    {
        await using var app = await StartAsync(cpuSeconds: 3);
        var session = await app.Client.CreateSessionAsync();
        var slow = await UploadAsync(app, session, Pictures.ScanBomb());
        var good = await UploadAsync(app, session, Photos.Jpeg());

        var waiting = app.Client.GetAsync($"uploads/{slow}/thumbnail");
        (await app.Client.GetAsync($"uploads/{good}/thumbnail")).Expect(HttpStatusCode.OK);

        Assert.False(waiting.IsCompleted);
        (await waiting).Expect(HttpStatusCode.NotFound);
        (await app.Client.GetAsync($"uploads/{slow}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.Equal(1, Tries(app));
        Assert.Equal("It takes more than 3 s of processor time to decode.", (await RowAsync(app, slow)).ThumbnailFailure);
    }

    [Fact]
    public async Task Process_that_decodes_may_open_and_write_nothing_and_knows_no_environment()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Limits are set on Linux.");
        // Much more than it takes to look at its process, which is ended then.
        await using var app = await StartAsync(cpuSeconds: 44);
        var slow = await UploadAsync(app, await app.Client.CreateSessionAsync(), Pictures.ScanBomb());

        var waiting = app.Client.GetAsync($"uploads/{slow}/thumbnail");
        var child = await PictureChild.FindAsync(cpuSeconds: 44);

        Assert.Equal(
            ("0", "0", "44"),
            (PictureChild.LimitOf(child, "file size"), PictureChild.LimitOf(child, "core file size"), PictureChild.LimitOf(child, "cpu time")));
        Assert.NotEqual("unlimited", PictureChild.LimitOf(child, "address space"));
        Assert.Equal("1000", PictureChild.Read(child, "oom_score_adj")!.Trim());
        Assert.All(
            PictureChild.Read(child, "environ")!.Split('\0', StringSplitOptions.RemoveEmptyEntries),
            variable => Assert.Matches("^(DOTNET|VIPS)_", variable));
        await Shell.RunAsync($"kill -KILL {PictureChild.IdOf(child)}");
        (await waiting).Expect(HttpStatusCode.ServiceUnavailable);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task Process_that_somebody_else_ends_says_nothing_of_its_picture(string signal)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Found by Linux's list of processes.");
        var cpuSeconds = signal == "TERM" ? 41 : 42;
        await using var app = await StartAsync(cpuSeconds: cpuSeconds);
        var slow = await UploadAsync(app, await app.Client.CreateSessionAsync(), Pictures.ScanBomb());
        var waiting = app.Client.GetAsync($"uploads/{slow}/thumbnail");

        await Shell.RunAsync($"kill -{signal} {PictureChild.IdOf(await PictureChild.FindAsync(cpuSeconds))}");

        (await waiting).Expect(HttpStatusCode.ServiceUnavailable);
        Assert.Null((await RowAsync(app, slow)).ThumbnailFailure);
    }

    [Fact]
    public async Task Picture_that_was_cut_off_has_what_is_there_or_none()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        foreach (var whole in (byte[][])[Photos.Jpeg(), Photos.Png(), Photos.WebP()])
        {
            var id = await UploadAsync(app, session, whole[..(whole.Length * 3 / 4)]);

            var answer = await app.Client.GetAsync($"uploads/{id}/thumbnail");

            Assert.True(answer.Status is HttpStatusCode.OK or HttpStatusCode.NotFound, answer.Text);
        }
    }

    [Fact]
    public async Task Photo_that_is_damaged_on_disk_has_one_when_it_is_whole_again()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        var id = await UploadAsync(app, session, Photos.Jpeg());
        var image = Directory.GetFiles(Path.Combine(app.DataFolder, "images"), id, SearchOption.AllDirectories).Single();
        var bytes = await File.ReadAllBytesAsync(image, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(image, bytes[..^100], TestContext.Current.CancellationToken);

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.InternalServerError);
        Assert.True(await HasThumbnailAsync(app, session));
        await File.WriteAllBytesAsync(image, bytes, TestContext.Current.CancellationToken);

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Encrypted_photo_has_none()
    {
        await using var app = await StartAsync();
        using var owner = System.Security.Cryptography.RSA.Create(2048);
        var pem = owner.ExportSubjectPublicKeyInfoPem();
        await EndToEndTests.SetKeyAsync(app, pem);
        var session = await app.Client.CreateSessionAsync();
        var uploaded = await app.PostFormAsync(session, Sealed.Here(pem, Photos.Png()).Bytes(), "a.png.enc", "e2e");

        (await app.Client.GetAsync($"uploads/{(string)uploaded.Json["id"]!}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.False(await HasThumbnailAsync(app, session));
    }

    [Fact]
    public async Task Without_processes_for_them_there_are_none_and_nothing_else_changes()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Thumbnails:AtOnce"] = "0" });
        var session = await app.Client.CreateSessionAsync();
        var id = await UploadAsync(app, session, Photos.Jpeg());

        (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.NotFound);
        Assert.False(await HasThumbnailAsync(app, session));
    }

    private static async Task HasSmallJpegAsync(string kind, byte[] photo, string library)
    {
        await using var app = await StartAsync(library: library);
        var session = await app.Client.CreateSessionAsync();
        var id = await UploadAsync(app, session, photo);

        var first = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);
        var second = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK);

        Assert.True(first.Bytes is [0xFF, 0xD8, 0xFF, ..], kind);
        Assert.Equal(first.Bytes, second.Bytes);
        Assert.True(await HasThumbnailAsync(app, session));
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database = DatabaseKind.Sqlite, string library = "", int cpuSeconds = 20) =>
        AperturApp.StartAsync(database, new Dictionary<string, string?>
        {
            ["Thumbnails:AtOnce"] = "3",
            ["Thumbnails:HeicLibrary"] = library,
            ["Thumbnails:CpuSeconds"] = $"{cpuSeconds}",
        });

    private static async Task<string> UploadAsync(AperturApp app, string session, byte[] photo) =>
        (string)(await app.Client.UploadAsync(session, photo))["id"]!;

    /// <summary>Its header, with the dimensions, is whole; what follows is noise.</summary>
    private static byte[] Undecodable()
    {
        var png = Photos.Png();
        new Random(1).NextBytes(png.AsSpan(40));
        return png;
    }

    /// <summary>How many pictures were found to have none.</summary>
    private static int Tries(AperturApp app) => app.Log.Lines.Count(line => line.Contains("thumbnail.failed", StringComparison.Ordinal));

    private static async Task<Upload> RowAsync(AperturApp app, string id)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var upload = Guid.Parse(id);
        return await db.Uploads.AsNoTracking().SingleAsync(row => row.Id == upload);
    }

    private static async Task<System.Text.Json.Nodes.JsonNode> StatusAsync(AperturApp app, string session) =>
        (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Expect(HttpStatusCode.OK).Json;

    private static async Task<bool> HasThumbnailAsync(AperturApp app, string session) =>
        (bool)(await StatusAsync(app, session))["files"]!.AsArray().Single()!["has_thumbnail"]!;
}
