using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;

namespace Apertur.Tests.Uploads;

/// <summary>What a sender says of its bytes is true, or the photo is not taken.</summary>
public sealed class DigestTests
{
    private static readonly byte[] _photo = Photos.Jpeg();

    public static TheoryData<string> Kinds { get; } =
    [
        "part Content-Digest sha-256", "part Content-Digest sha-512", "part Repr-Digest sha-256", "part Content-MD5 md5",
        "request Content-Digest sha-256", "request Repr-Digest sha-512", "request Content-MD5 md5", "text after sha256", "text before sha256", "text upper sha256",
    ];

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_digest_of_the_photo_is_checked_before_it_is_taken(string kind)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        (await SendAsync(app, session, kind, _photo)).Expect(HttpStatusCode.Created);
        var refused = await SendAsync(app, session, kind, Photos.Png());

        Assert.Equal("DIGEST_MISMATCH", (string)refused.Expect(HttpStatusCode.BadRequest).Json["code"]!);
        Assert.Equal(1, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
        Assert.Single(Directory.GetFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_digest_of_the_whole_form_is_checked()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        using var form = Form("", _photo);
        var body = await form.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        // More than the server has at once.
        byte[] epilogue = [.. body, .. new byte[3_000_000]];

        foreach (var sent in new[] { body, epilogue })
        {
            (await SendBodyAsync(app, session, sent, form.Headers.ContentType!, sent)).Expect(HttpStatusCode.Created);
            var refused = await SendBodyAsync(app, session, sent, form.Headers.ContentType!, [.. sent, 1]);
            Assert.Equal("DIGEST_MISMATCH", (string)refused.Expect(HttpStatusCode.BadRequest).Json["code"]!);
        }
    }

    [Fact]
    public async Task A_digest_of_an_envelope_is_that_of_its_bytes()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var key = (string)(await app.Client.GetAsync("encryption/server-key")).Json["publicKey"]!;
        var envelope = Encoding.UTF8.GetBytes(Sealed.Here(key, _photo).ToJsonString());
        var json = new MediaTypeHeaderValue("application/json");

        (await SendBodyAsync(app, session, envelope, json, envelope, encrypted: true)).Expect(HttpStatusCode.Created);
        var refused = await SendBodyAsync(app, session, envelope, json, _photo, encrypted: true);

        Assert.Equal("DIGEST_MISMATCH", (string)refused.Expect(HttpStatusCode.BadRequest).Json["code"]!);
    }

    [Theory]
    [InlineData("photo", HttpStatusCode.Created)]
    [InlineData("envelope", HttpStatusCode.Created)]
    [InlineData("neither", HttpStatusCode.BadRequest)]
    public async Task Text_beside_an_envelope_may_mean_it_or_the_photo_in_it(string meant, HttpStatusCode status)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var envelope = Sealed.Here(await app.ServerKeyAsync(), _photo).Bytes();
        using var form = Form("", envelope);
        form.Add(new StringContent(Convert.ToHexStringLower(SHA256.HashData(meant == "photo" ? _photo : meant == "envelope" ? envelope : [1]))), "sha256");

        (await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", form, ("X-Aptr-Encrypted", "default"))).Expect(status);
    }

    [Fact]
    public async Task Every_digest_that_is_given_must_be_right_and_parameters_are_passed_over()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var (right, wrong) = ($"sha-256=:{Convert.ToBase64String(SHA256.HashData(_photo))}:", $"sha-512=:{Convert.ToBase64String(SHA512.HashData([1]))}:");

        foreach (var (value, status) in new[]
        {
            ($"{right};of=all", HttpStatusCode.Created), ($"{right}, {wrong}", HttpStatusCode.BadRequest), ($"{wrong}, {right}", HttpStatusCode.BadRequest),
        })
        {
            using var form = Form("", _photo);
            form.Headers.TryAddWithoutValidation("Content-Digest", value);
            (await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", form)).Expect(status);
        }
    }

    [Theory]
    [InlineData("Content-Digest", "sha-256=:AAAA:", "RFC 9530")]
    [InlineData("Content-Digest", "sha-256=nonsense", "RFC 9530")]
    [InlineData("Content-MD5", "AAAA", "16 bytes")]
    public async Task Digests_that_cannot_be_read_are_refused_by_name(string header, string value, string how)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        using var form = Form("", _photo);
        form.Headers.TryAddWithoutValidation(header, value);

        var refused = (await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", form)).Expect(HttpStatusCode.BadRequest);

        Assert.Contains(header, (string)refused.Json["message"]!, StringComparison.Ordinal);
        Assert.Contains(how, (string)refused.Json["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Header_without_a_value_is_no_digest()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        byte[] form =
        [
            .. "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\nContent-MD5:\r\n\r\n"u8, .. _photo, .. "\r\n--b--\r\n"u8,
        ];
        using var connection = await RawConnection.OpenAsync(app.Url);

        await connection.SendAsync(
            $"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: a\r\nContent-MD5:\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            + $"Content-Length: {form.Length}\r\n\r\n");
        await connection.SendAsync(form);

        Assert.StartsWith("HTTP/1.1 201", await connection.ReadHeadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_algorithms_are_passed_over_and_wrong_texts_refused()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        using var crc = Form("", _photo);
        crc.Headers.TryAddWithoutValidation("Content-Digest", "crc32c=:AAAAAA==:");

        (await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", crc)).Expect(HttpStatusCode.Created);
        foreach (var wrong in new[] { new string('a', 63), new string('g', 64) })
        {
            using var form = Form("", _photo);
            form.Add(new StringContent(wrong), "sha256");
            var refused = (await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", form)).Expect(HttpStatusCode.BadRequest);
            Assert.Equal("VALIDATION_ERROR", (string)refused.Json["code"]!);
        }
    }

    private static async Task<Answer> SendAsync(AperturApp app, string session, string kind, byte[] sent)
    {
        using var form = Form(kind, sent);
        return await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", form);
    }

    private static async Task<Answer> SendBodyAsync(
        AperturApp app, string session, byte[] body, MediaTypeHeaderValue type, byte[] digested, bool encrypted = false)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = type;
        content.Headers.TryAddWithoutValidation("Content-Digest", $"sha-256=:{Convert.ToBase64String(SHA256.HashData(digested))}:");
        return await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", content, encrypted ? [("X-Aptr-Encrypted", "default")] : []);
    }

    /// <summary>A form with a photo in it and, by whatever way, the digest of <see cref="_photo"/>.</summary>
    [SuppressMessage("Security", "CA5351", Justification = "The header's.")]
    private static MultipartFormDataContent Form(string kind, byte[] sent)
    {
        var form = new MultipartFormDataContent();
        var file = new ByteArrayContent(sent);
        if (kind == "text before sha256")
            form.Add(new StringContent(Convert.ToHexStringLower(SHA256.HashData(_photo))), "sha256");
        form.Add(file, "file", "photo.jpg");
        if (kind.StartsWith("text", StringComparison.Ordinal) && kind != "text before sha256")
        {
            var hex = Convert.ToHexStringLower(SHA256.HashData(_photo));
            form.Add(new StringContent(kind.Contains("upper", StringComparison.Ordinal) ? $" {hex.ToUpperInvariant()} " : hex), "sha256");
        }

        if (kind.Split(' ') is [("part" or "request") and var place, var header, var algorithm])
        {
            HttpContentHeaders headers = place == "part" ? file.Headers : form.Headers;
            headers.TryAddWithoutValidation(header, algorithm switch
            {
                "md5" => Convert.ToBase64String(MD5.HashData(_photo)),
                "sha-256" => $"unixsum=:AAAA:, sha-256=:{Convert.ToBase64String(SHA256.HashData(_photo))}:",
                _ => $"sha-512=:{Convert.ToBase64String(SHA512.HashData(_photo))}:",
            });
        }

        return form;
    }
}
