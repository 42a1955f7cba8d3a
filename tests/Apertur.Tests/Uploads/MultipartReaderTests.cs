using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Apertur.Server.Uploads;

namespace Apertur.Tests.Uploads;

public sealed class MultipartReaderTests
{
    private const string ContentType = "multipart/form-data; boundary=XyZ";

    private sealed record Read(string Name, string? Filename, string? Type, string Body);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static async Task<List<Read>> ReadAllAsync(PipeReader pipe, string contentType = ContentType)
    {
        using var reader = new MultipartReader(pipe, contentType);
        var parts = new List<Read>();
        while (await reader.NextAsync(Ct) is { } part)
        {
            using var body = new MemoryStream();
            while (await reader.ReadAsync(1, Ct) is { IsEmpty: false } chunk)
                body.Write(chunk.ToArray());
            parts.Add(new Read(part.Name, part.Filename, part.ContentType, Encoding.UTF8.GetString(body.ToArray())));
        }

        return parts;
    }

    private static async Task ReadsAs(string body, string contentType, params Read[] expected)
    {
        foreach (var pipe in Chunks.Every(Bytes(body)))
            Assert.Equal(expected, await ReadAllAsync(pipe, contentType));
    }

    private static async Task IsRefused(string body, string saying, string contentType = ContentType)
    {
        foreach (var pipe in Chunks.Every(Bytes(body)))
        {
            var refusal = await Assert.ThrowsAsync<MultipartException>(() => ReadAllAsync(pipe, contentType));
            Assert.Contains(saying, refusal.Message, StringComparison.Ordinal);
        }
    }

    private static string Part(string headers, string body) => $"--XyZ\r\n{headers}\r\n\r\n{body}\r\n";

    private static string Field(string name, string value) => Part($"Content-Disposition: form-data; name=\"{name}\"", value);

    [Fact]
    public Task File_and_field_are_read_in_the_order_sent() => ReadsAs(
        Part("Content-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg", "bytes")
        + Field("source", "gallery") + "--XyZ--\r\n",
        ContentType,
        new Read("file", "a.jpg", "image/jpeg", "bytes"), new Read("source", null, null, "gallery"));

    [Theory]
    [InlineData("multipart/form-data; boundary=\"XyZ\"")]
    [InlineData("Multipart/Form-Data;charset=utf-8; BOUNDARY=XyZ")]
    [InlineData("multipart/form-data; boundary = XyZ ; x=y")]
    public Task Boundary_may_be_written_in_any_legal_way(string contentType) =>
        ReadsAs(Field("a", "1") + "--XyZ--", contentType, new Read("a", null, null, "1"));

    [Fact]
    public Task Quoted_boundary_may_hold_special_characters() => ReadsAs(
        "--=_a;b c\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--=_a;b c--",
        "multipart/form-data; boundary=\"=_a;b c\"",
        new Read("a", null, null, "1"));

    [Theory]
    [InlineData("form-data; name=file; filename=a.jpg", "file", "a.jpg")]
    [InlineData("form-data; name=\"file\"; filename=a b.jpg; size=3", "file", "a b.jpg")]
    [InlineData("form-data; filename=\"a.jpg\"; name=\"file\"", "file", "a.jpg")]
    [InlineData("form-data;name=file;filename=\"a;b=c.jpg\"", "file", "a;b=c.jpg")]
    [InlineData("form-data; name=\"file\"; filename=\"\"", "file", "")]
    [InlineData("form-data; name=\"file\"; filename=\"a \\\"b\\\" \\\\c.jpg\"", "file", "a \"b\" \\c.jpg")]
    [InlineData("form-data; name=\"file\"; filename=\"a %22b%22.jpg\"", "file", "a \"b\".jpg")]
    [InlineData("form-data; name=\"file\"; filename=\"C:\\photos\\a.jpg\"", "file", "C:\\photos\\a.jpg")]
    [InlineData("form-data; name=\"file\"; filename=\"été 🌞.jpg\"", "file", "été 🌞.jpg")]
    [InlineData("form-data; name=file; filename=\"=?utf-8?B?w6k=?=\"; filename*=utf-8''%C3%A9.jpg", "file", "é.jpg")]
    [InlineData("form-data; name=file; filename*=ISO-8859-1'en'%E9.jpg; filename=e.jpg", "file", "é.jpg")]
    [InlineData("form-data; name=file; filename=e.jpg; filename*=utf-8''%ZZ.jpg", "file", "e.jpg")]
    [InlineData("form-data; name=file; filename=e.jpg; filename*=koi8-r''%C1.jpg", "file", "e.jpg")]
    [InlineData("form-data; name=file; filename=e.jpg; filename*=utf-8'x.jpg", "file", "e.jpg")]
    [InlineData("form-data; name=file; filename=e.jpg; filename*=utf-8''é.jpg", "file", "e.jpg")]
    [InlineData("form-data; name=file; filename=e.jpg; filename*=utf-8''x%4", "file", "e.jpg")]
    [InlineData("form-data; name=file; name=other; filename=a.jpg; filename=b.jpg", "file", "a.jpg")]
    [InlineData("form-data; name=file; filename*=utf-8''a.jpg; filename*=utf-8''b.jpg", "file", "a.jpg")]
    [InlineData("form-data; name= \t\"file\"; filename=a.jpg; size", "file", "a.jpg")]
    [InlineData("form-data; name=\"file\"; filename=\"never closed\\", "file", "never closed\\")]
    [InlineData("form-data; filename*; name=\"fi\"", "fi", null)]
    [InlineData("form-data;\r\n name=\"file\";\r\n\tfilename=\"a.jpg\"", "file", "a.jpg")]
    [InlineData("form-data; name=\"file\"; filename=\"never closed.jpg", "file", "never closed.jpg")]
    public Task Names_are_understood_as_clients_write_them(string disposition, string name, string? filename) => ReadsAs(
        Part("content-type: image/jpeg\r\ncontent-disposition: " + disposition, "x") + "--XyZ--",
        ContentType,
        new Read(name, filename, "image/jpeg", "x"));

    [Fact]
    public Task Preamble_padding_and_epilogue_are_skipped() => ReadsAs(
        "This is MIME.\r\n--Xy\r\n\r\n--XyZ \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XyZ-- \r\nmore\r\n--XyZ\r\nrubbish",
        ContentType,
        new Read("a", null, null, "1"));

    [Theory]
    [InlineData("7bit")]
    [InlineData("8bit")]
    [InlineData("binary")]
    public Task Text_field_may_state_a_type_and_an_identity_encoding(string encoding) => ReadsAs(
        Part($"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\nX: y\r\nContent-Disposition: form-data; name=a", "é")
        + "--XyZ--",
        ContentType,
        new Read("a", null, "text/plain; charset=utf-8", "é"));

    [Fact]
    public Task Content_that_looks_like_a_boundary_is_content() => ReadsAs(
        Field("a", "\r\n--Xy\r\n--X\r\n-\r\r\n\r\n--xyz\n--XyZ\r--XyZ") + "--XyZ--",
        ContentType,
        new Read("a", null, null, "\r\n--Xy\r\n--X\r\n-\r\r\n\r\n--xyz\n--XyZ\r--XyZ"));

    [Fact]
    public Task Empty_parts_are_read_with_their_own_line_end_or_a_shared_one() => ReadsAs(
        Field("a", "") + "--XyZ\r\nContent-Disposition: form-data; name=b\r\n\r\n" + Field("c", "\r\n") + "--XyZ--",
        ContentType,
        new Read("a", null, null, ""), new Read("b", null, null, ""), new Read("c", null, null, "\r\n"));

    [Fact]
    public Task Form_without_parts_is_empty() => ReadsAs("--XyZ--\r\n", ContentType);

    [Fact]
    public async Task Large_binary_body_comes_through_unchanged_and_in_chunks_of_the_asked_size()
    {
        var bytes = new byte[300_000];
        new Random(7).NextBytes(bytes);
        byte[] body =
        [
            .. Bytes("--XyZ\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"), .. bytes, .. Bytes("\r\n" + Field("a", "1") + "--XyZ--"),
        ];
        var random = new Random(1);
        using var reader = new MultipartReader(Chunks.Of(body, () => random.Next(1, 200)), ContentType);
        await reader.NextAsync(Ct);
        using var read = new MemoryStream();
        while (await reader.ReadAsync(1000, Ct) is { IsEmpty: false } chunk)
        {
            Assert.True(chunk.Length >= 1000 || read.Length + chunk.Length == bytes.Length);
            read.Write(chunk.ToArray());
        }

        Assert.Equal(bytes, read.ToArray());
        Assert.Equal("a", (await reader.NextAsync(Ct))?.Name);
        Assert.Equal("1", await reader.ReadTextAsync(Ct));
        Assert.Null(await reader.NextAsync(Ct));
        Assert.Null(await reader.NextAsync(Ct));
    }

    [Fact]
    public async Task Part_that_is_not_read_is_skipped()
    {
        var body = Bytes(Field("a", new string('x', 5000)) + Field("b", "2") + "--XyZ--");
        foreach (var pipe in Chunks.Every(body))
        {
            using var reader = new MultipartReader(pipe, ContentType);
            await reader.NextAsync(Ct);
            await reader.ReadAsync(10, Ct);
            Assert.Equal("b", (await reader.NextAsync(Ct))?.Name);
            Assert.Equal("2", await reader.ReadTextAsync(Ct));
        }
    }

    [Fact]
    public async Task Reader_disposed_in_the_middle_leaves_the_pipe_readable()
    {
        var pipe = Chunks.Whole(Bytes(Field("a", "12345") + "--XyZ--"));
        using (var reader = new MultipartReader(pipe, ContentType))
        {
            await reader.NextAsync(Ct);
            await reader.ReadAsync(1, Ct);
        }

        var rest = await pipe.ReadAsync(Ct);
        Assert.Equal("--", Encoding.ASCII.GetString(rest.Buffer));
    }

    [Theory]
    [InlineData(null, "not multipart/form-data")]
    [InlineData("image/jpeg", "not multipart/form-data")]
    [InlineData("multipart/form-data", "no boundary")]
    [InlineData("multipart/form-data; boundary=", "no boundary")]
    [InlineData("multipart/form-data; boundary=\"\"", "no boundary")]
    [InlineData("multipart/form-data; boundary=é", "70 ASCII")]
    [InlineData("multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", "70 ASCII")]
    public void Unusable_content_type_is_refused(string? contentType, string saying)
    {
        var refusal = Assert.Throws<MultipartException>(() => new MultipartReader(Chunks.Whole([]), contentType));
        Assert.Contains(saying, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task Boundary_of_70_characters_is_read()
    {
        var boundary = new string('b', 70);
        return ReadsAs($"--{boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--{boundary}--",
            "multipart/form-data; boundary=" + boundary, new Read("a", null, null, "1"));
    }

    [Fact]
    public async Task Body_cut_anywhere_before_the_closing_boundary_is_refused()
    {
        var whole = Part("Content-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"", "bytes") + Field("a", "1") + "--XyZ--";
        for (var length = 0; length < whole.Length; length++)
            await IsRefused(whole[..length], "The body");
    }

    [Theory]
    [InlineData("", "is empty", true)]
    [InlineData("{\"json\":true}", "holds no part", false)]
    [InlineData("--XyZ\r\nContent-Disposition: form-data; name=a\r\n\r\n1", "ends before its closing boundary", true)]
    public async Task Body_that_ends_too_soon_may_be_sent_again_but_not_one_without_the_boundary(string body, string saying, bool isIncomplete)
    {
        foreach (var pipe in Chunks.Every(Bytes(body)))
        {
            var refusal = await Assert.ThrowsAsync<MultipartException>(() => ReadAllAsync(pipe));
            Assert.Contains(saying, refusal.Message, StringComparison.Ordinal);
            Assert.Equal(isIncomplete, refusal.IsIncomplete);
        }
    }

    [Theory]
    [InlineData("--XyZ rubbish\r\n\r\n")]
    [InlineData("--XyZx")]
    [InlineData("--XyZ\rx")]
    [InlineData("--XyZ-x")]
    [InlineData("--XyZ -")]
    public Task Boundary_line_that_goes_on_is_refused(string body) => IsRefused(body, "followed by other text");

    [Fact]
    public async Task Bytes_are_handed_out_as_soon_as_they_cannot_belong_to_a_boundary()
    {
        var pipe = new Pipe();
        using var reader = new MultipartReader(pipe.Reader, ContentType);
        await pipe.Writer.WriteAsync(Bytes("--XyZ\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--Xy"), Ct);
        await reader.NextAsync(Ct);

        var reading = reader.ReadAsync(1, Ct);

        Assert.True(reading.IsCompleted);
        Assert.Equal("1", Encoding.ASCII.GetString(await reading));
    }

    [Fact]
    public async Task Body_that_cannot_be_read_leaves_nothing_to_clean_up()
    {
        var pipe = new Pipe();
        using var reader = new MultipartReader(pipe.Reader, ContentType);
        await pipe.Writer.WriteAsync(Bytes("--XyZ\r\nContent-"), Ct);
        using var stop = new CancellationTokenSource();
        var reading = reader.NextAsync(stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);

        reader.Dispose();
        reader.Dispose();
    }

    [Fact]
    public Task Part_without_headers_is_refused() => IsRefused("--XyZ\r\n\r\nbody\r\n--XyZ--", "Content-Disposition");

    [Fact]
    public async Task Part_without_a_name_is_refused()
    {
        await IsRefused(Part("Content-Disposition: form-data", "x") + "--XyZ--", "name parameter");
        await IsRefused(Part("Content-Disposition: name=a", "x") + "--XyZ--", "name parameter");
    }

    [Fact]
    public Task Encoded_part_is_refused() => IsRefused(
        Part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64", "eA==") + "--XyZ--", "Content-Transfer-Encoding");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Headers_over_16_kB_are_refused(bool ended)
    {
        var body = Bytes("--XyZ\r\nX: " + new string('x', MultipartReader.MaxHeaderBytes) + (ended ? "\r\n\r\n" : ""));
        foreach (var pipe in new[] { Chunks.Whole(body), Chunks.Of(body, () => 100) })
        {
            var refusal = await Assert.ThrowsAsync<MultipartException>(() => ReadAllAsync(pipe));
            Assert.Contains("16384", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Padding_over_16_kB_is_refused()
    {
        var body = Bytes("--XyZ" + new string(' ', MultipartReader.MaxHeaderBytes + 1));
        var refusal = await Assert.ThrowsAsync<MultipartException>(() => ReadAllAsync(Chunks.Of(body, () => 100)));
        Assert.Contains("followed by other text", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Form_of_32_parts_is_read_and_one_more_is_refused()
    {
        var parts = string.Concat(Enumerable.Repeat(Field("a", "1"), MultipartReader.MaxParts));
        Assert.Equal(MultipartReader.MaxParts, (await ReadAllAsync(Chunks.Whole(Bytes(parts + "--XyZ--")))).Count);
        var refusal = await Assert.ThrowsAsync<MultipartException>(
            () => ReadAllAsync(Chunks.Whole(Bytes(parts + Field("a", "1") + "--XyZ--"))));
        Assert.Contains("32 parts", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_over_its_limit_is_refused()
    {
        foreach (var (length, limit, fits) in new[] { (65536, 65536, true), (65537, 65536, false), (11, 10, false), (10, 10, true) })
        {
            using var reader = new MultipartReader(Chunks.Whole(Bytes(Field("a", new string('x', length)) + "--XyZ--")), ContentType);
            await reader.NextAsync(Ct);
            var reading = reader.ReadTextAsync(Ct, limit).AsTask();
            if (fits)
                Assert.Equal(length, (await reading).Length);
            else
                await Assert.ThrowsAsync<MultipartException>(() => reading);
        }
    }

    [Fact]
    public async Task Every_mutation_is_read_or_refused_alike_however_it_is_cut()
    {
        var seedBody = Bytes(Part("Content-Disposition: form-data; name=\"file\"; filename*=utf-8''a.jpg\r\nContent-Type: image/jpeg", "\r\n--Xy\r")
            + Field("source", "url") + "--XyZ--\r\n");
        byte[] tokens = [(byte)'\r', (byte)'\n', (byte)'-', (byte)'"', (byte)';', (byte)'=', (byte)'\'', (byte)'%', (byte)'\\', 0, 0xFF];
        var random = new Random(20260101);
        for (var round = 0; round < 3000; round++)
        {
            var body = seedBody.ToList();
            for (var i = random.Next(1, 5); i > 0; i--)
            {
                var at = random.Next(body.Count);
                switch (random.Next(4))
                {
                    case 0: body[at] = tokens[random.Next(tokens.Length)]; break;
                    case 1: body.RemoveAt(at); break;
                    case 2: body.Insert(at, tokens[random.Next(tokens.Length)]); break;
                    default: body.InsertRange(at, body[at..Math.Min(body.Count, at + random.Next(40))]); break;
                }
            }

            byte[] bytes = [.. body];
            var whole = await Outcome(Chunks.Whole(bytes));
            Assert.Equal(whole, await Outcome(Chunks.Of(bytes, () => 1)));
            Assert.Equal(whole, await Outcome(Chunks.Of(bytes, () => random.Next(1, 30))));
        }

        static async Task<string> Outcome(PipeReader pipe)
        {
            try
            {
                return string.Join('\n', await ReadAllAsync(pipe));
            }
            catch (MultipartException refusal)
            {
                return refusal.Message;
            }
        }
    }
}
