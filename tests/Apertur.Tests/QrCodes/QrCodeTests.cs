using System.Buffers.Binary;
using System.Text;
using System.Xml.Linq;
using Apertur.Server.QrCodes;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using NetVips;

namespace Apertur.Tests.QrCodes;

public sealed class QrCodeTests
{
    private const string Link = "https://photos.example.com/u/3f0c7c1e-8f0b-4f0e-9d3a-0c9d3a1b2c3d";

    private static readonly string[] Looks =
    [
        "", "size=64", "size=65", "size=72", "size=101", "size=640", "size=2000", "borderSize=0", "borderSize=1", "borderSize=16",
        "size=64&borderSize=0", "size=64&borderSize=16", "size=100&borderSize=16",
        "fg=123&bg=fed", "fg=00f&bg=ffff00", "fg=999&bg=fff",
        "size=64&fg=999&bg=fff", "fg=000&bg=666", "bg=ff0&borderColor=0ff", "borderColor=000", "borderColor=f00&borderSize=1",
        "size=64&borderColor=000", "size=120&borderColor=000", "size=150&borderColor=000&borderSize=2",
        "fg=000&bg=fff&borderColor=666",
    ];

    public static TheoryData<string> EveryLook() =>
        [.. from format in (string[])["png", "jpeg"] from shape in (string[])["square", "rounded"] from look in Looks
            select $"format={format}&style={shape}&{look}".TrimEnd('&')];

    [Theory]
    [MemberData(nameof(EveryLook))]
    public async Task Code_scans_in_every_look(string query)
    {
        var style = Style(query);

        Assert.Equal(Link, await QrScan.ReadAsync(QrCode.Render(Link, style), "." + style.Format));
    }

    [Theory]
    [InlineData("square")]
    [InlineData("rounded")]
    public async Task Svg_scans_as_a_browser_shows_it(string shape)
    {
        await using var browser = await Browser.StartAsync();
        var page = await browser.OpenAsync("about:blank");
        foreach (var look in Looks)
        {
            var style = Style($"format=svg&style={shape}&{look}".TrimEnd('&'));
            await page.SetViewportSizeAsync(style.Size, style.Size);
            var svg = Convert.ToBase64String(QrCode.Render(Link, style));
            await page.SetContentAsync(
                $"<body style='margin:0'><img style='display:block' src='data:image/svg+xml;base64,{svg}'>");

            Assert.Equal((look, Link), (look, await QrScan.ReadAsync(await page.ScreenshotAsync())));
        }
    }

    [Theory]
    [InlineData("http://127.0.0.1:5080/u/0a5c33ff-91b2-4e77-a2f0-6f1c55de0b42")]
    [InlineData("https://a.example/u/7d1f9a52-77a0-4c51-b1c6-5e4fd2aa9031")]
    [InlineData("https://fotos.verein.example.org/u/5b2a8f10-2c44-4f5e-8a33-9f6e0d1c7ab8")]
    public async Task Smallest_picture_of_any_usual_link_scans(string link)
    {
        foreach (var format in (string[])["png", "jpeg"])
            Assert.Equal(link, await QrScan.ReadAsync(QrCode.Render(link, Style($"size=64&format={format}")), "." + format));
    }

    [Fact]
    public async Task Long_link_scans()
    {
        var link = "https://photos.example.com/" + new string('a', 300) + "/u/3f0c7c1e-8f0b-4f0e-9d3a-0c9d3a1b2c3d";

        Assert.Equal(link, await QrScan.ReadAsync(QrCode.Render(link, Style("style=rounded"))));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(300)]
    [InlineData(1999)]
    public void Picture_has_exactly_the_size_asked_for(int size)
    {
        var png = QrCode.Render(Link, Style($"size={size}"));
        var jpeg = QrCode.Render(Link, Style($"size={size}&format=jpeg"));
        var svg = XDocument.Parse(Encoding.UTF8.GetString(QrCode.Render(Link, Style($"size={size}&format=svg")))).Root!;

        Assert.Equal(
            (size, size), (BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20))));
        var frame = jpeg.AsSpan(jpeg.AsSpan().IndexOf((byte[])[0xff, 0xc0]));
        Assert.Equal(
            (size, size), (BinaryPrimitives.ReadUInt16BigEndian(frame[5..]), BinaryPrimitives.ReadUInt16BigEndian(frame[7..])));
        Assert.Equal(($"{size}", $"{size}"), ((string?)svg.Attribute("width"), (string?)svg.Attribute("height")));
    }

    [Fact]
    public void Border_is_as_wide_as_asked_for_and_in_its_colour()
    {
        // 37 modules and twice 4: 10 pixels per module.
        using var picture = Image.NewFromBuffer(QrCode.Render(Link, Style("size=450&bg=ffa&borderColor=aff")));
        Rgb At(int x, int y) => ColourAt(picture, x, y);

        Assert.Equal(new Rgb(0xaa, 0xff, 0xff), At(39, 225));
        Assert.Equal(Rgb.Black, At(40, 45));
        Assert.Equal(new Rgb(0xff, 0xff, 0xaa), At(55, 55));
    }

    [Fact]
    public void Rounded_corner_is_smooth_and_finder_pattern_stays_whole()
    {
        using var picture = Image.NewFromBuffer(QrCode.Render(Link, Style("size=450&style=rounded")));
        Rgb At(int x, int y) => ColourAt(picture, x, y);

        Assert.Equal(Rgb.White, At(40, 40));
        Assert.InRange(At(41, 41).Luma, 1, 254);
        Assert.All(Enumerable.Range(45, 60), x => Assert.Equal(Rgb.Black, At(x, 45)));
    }

    [Theory]
    [InlineData("format=gif", "format", "png, svg or jpeg")]
    [InlineData("format=PNG", "format", "png, svg or jpeg")]
    [InlineData("size=63", "size", "from 64 to 2000")]
    [InlineData("size=2001", "size", "from 64 to 2000")]
    [InlineData("size=1e3", "size", "from 64 to 2000")]
    [InlineData("size=100&size=200", "size", "from 64 to 2000")]
    [InlineData("size=99999999999", "size", "from 64 to 2000")]
    [InlineData("style=dots", "style", "square or rounded")]
    [InlineData("fg=%23000000", "fg", "hexadecimal")]
    [InlineData("fg=red", "fg", "hexadecimal")]
    [InlineData("bg=ffff", "bg", "hexadecimal")]
    [InlineData("bg=%20fffff", "bg", "hexadecimal")]
    [InlineData("borderColor=0xffff", "borderColor", "hexadecimal")]
    [InlineData("borderSize=-1", "borderSize", "from 0 to 16")]
    [InlineData("borderSize=17", "borderSize", "from 0 to 16")]
    [InlineData("fg=fff", "fg", "darker")]
    [InlineData("fg=336699&bg=336699", "fg", "darker")]
    [InlineData("fg=fff&bg=000", "fg", "darker")]
    [InlineData("fg=ff0", "fg", "darker")]
    public void Bad_value_is_refused_by_name(string query, string field, string says)
    {
        QrStyle.Parse(Query(query), out var problems);

        var problem = Assert.Single(problems);
        Assert.Equal(field, problem.Field);
        Assert.StartsWith(field + " must be", problem.Message, StringComparison.Ordinal);
        Assert.Contains(says, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_bad_values_are_named_at_once()
    {
        QrStyle.Parse(Query("size=1&style=x&fg=zzz"), out var problems);

        Assert.Equal(["size", "style", "fg"], problems.Select(problem => problem.Field));
    }

    [Fact]
    public void Every_parameter_is_described()
    {
        var parameters = QrStyle.Params.Keys;

        Assert.Equal(["format", "size", "style", "fg", "bg", "borderColor", "borderSize"], parameters);
        Assert.All(parameters, name =>
        {
            QrStyle.Parse(Query(name + "=?"), out var problems);
            Assert.Equal(name, Assert.Single(problems).Field);
        });
    }

    [Theory]
    [InlineData("png", "image/png")]
    [InlineData("svg", "image/svg+xml")]
    [InlineData("jpeg", "image/jpeg")]
    public async Task Answer_is_a_picture_that_nobody_keeps(string format, string contentType)
    {
        var http = new DefaultHttpContext();
        using var body = new MemoryStream();
        http.Response.Body = body;

        await (await QrCode.DrawAsync(Link, Style("format=" + format), TestContext.Current.CancellationToken)).ExecuteAsync(http);

        Assert.Equal(contentType, http.Response.ContentType);
        Assert.Equal("no-store", http.Response.Headers.CacheControl);
        Assert.Equal("nosniff", http.Response.Headers.XContentTypeOptions);
        Assert.Equal(body.Length, http.Response.ContentLength);
        Assert.Equal(QrCode.Render(Link, Style("format=" + format)), body.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Code_in_a_terminal_scans(bool ansi)
    {
        var text = QrCode.ForTerminal(Link, ansi);
        var lines = text.Replace("\e[38;5;16;48;5;231m", "", StringComparison.Ordinal)
            .Replace("\e[0m", "", StringComparison.Ordinal)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

        // Black on white with colours, white on black without.
        Assert.Equal(ansi, text.Contains('\e', StringComparison.Ordinal));
        Assert.InRange(lines.Length, 15, 24);
        Assert.Equal(Link, await QrScan.ReadAsync(ansi ? Photograph(lines, Rgb.Black, Rgb.White) : Photograph(lines, Rgb.White, Rgb.Black)));
    }

    /// <summary>What a terminal shows, with characters of 8 by 16 pixels.</summary>
    private static byte[] Photograph(string[] lines, Rgb ink, Rgb ground)
    {
        var side = lines.Length * 16;
        var pixels = new byte[side * side * 3];
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
            {
                var character = x / 8 < lines[y / 16].Length ? lines[y / 16][x / 8] : ' ';
                var colour = character == '█' || character == (y % 16 < 8 ? '▀' : '▄') ? ink : ground;
                ((byte[])[colour.R, colour.G, colour.B]).CopyTo(pixels, ((y * side) + x) * 3);
            }

        using var picture = Image.NewFromMemory(pixels, side, side, 3, Enums.BandFormat.Uchar);
        return picture.WriteToBuffer(".png");
    }

    private static Rgb ColourAt(Image picture, int x, int y) =>
        picture.Getpoint(x, y) is [var red, var green, var blue] ? new((byte)red, (byte)green, (byte)blue) : throw new InvalidOperationException();

    private static QrStyle Style(string query)
    {
        var style = QrStyle.Parse(Query(query), out var problems);
        Assert.Empty(problems);
        return style;
    }

    private static QueryCollection Query(string query) => new(QueryHelpers.ParseQuery(query));
}
