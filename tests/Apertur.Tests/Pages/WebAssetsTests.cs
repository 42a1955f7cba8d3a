using System.IO.Compression;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Destinations;
using Apertur.Server.Pages;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Pages;

/// <summary>The files that a page names are there, small, and kept by browsers.</summary>
public sealed partial class WebAssetsTests(ITestOutputHelper output) : IAsyncLifetime
{
    private readonly OutboundHttp _outbound = new(allowPrivateNetworks: true);
    private WebApplication _app = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRoutingCore();
        _app = builder.Build();
        _app.UseRouting();
        _app.MapGet("/assets/{name}", (string name, HttpContext context) => WebAssets.Get(name, context));
        _app.MapGet(WebAssets.WidgetPath, (HttpContext context) => WebAssets.Widget(context));
        await _app.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _outbound.Dispose();
    }

    /// <summary>What the script imports is named by the page, or it would take a round trip more.</summary>
    [Fact]
    public async Task Upload_page_is_at_most_14_kB_with_all_that_it_loads_at_once()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        foreach (var language in Texts.Languages)
        {
            var page = (await app.ClientOf(null).SendAsync(HttpMethod.Get, $"/u/{session}?lang={language}", null, ("Accept-Encoding", "br"))).Expect(HttpStatusCode.OK);
            var names = Address().Matches(Unpacked(page)).Select(match => match.Value).ToList();
            var sizes = new List<int> { page.Bytes.Length };
            foreach (var name in names)
            {
                var asset = (await app.ClientOf(null).SendAsync(HttpMethod.Get, name, null, ("Accept-Encoding", "br"))).Expect(HttpStatusCode.OK);
                sizes.Add(asset.Bytes.Length);
                Assert.All(Import().Matches(Unpacked(asset)).Select(match => $"/assets/{match.Groups[1].Value}"), import => Assert.Contains(import, names));
            }

            output.WriteLine($"{language}: {string.Join(" + ", sizes)} = {sizes.Sum()}");
            Assert.InRange(sizes.Sum(), 1, 14 * 1024);
        }

        var uncompressed = (await app.ClientOf(null).GetAsync($"/u/{session}")).Expect(HttpStatusCode.OK);
        Assert.Null(uncompressed["Content-Encoding"]);
        Assert.Contains("Take a photo", uncompressed.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("src/upload/page.ts", 11_000)]
    [InlineData("src/inbox/page.ts", 20_000)]
    public async Task Everything_a_page_loads_is_served_compressed_and_may_be_kept(string entry, int most)
    {
        var names = Address().Matches(WebAssets.Tags(entry).ToString()).Select(match => match.Value).ToList();
        Assert.Contains(names, name => name.EndsWith(".js", StringComparison.Ordinal));
        Assert.Contains(names, name => name.EndsWith(".css", StringComparison.Ordinal));
        long whole = 0, transferred = 0;
        foreach (var name in names)
        {
            using var plain = await GetAsync(name, "gzip");
            using var compressed = await GetAsync(name, "gzip, br");

            Assert.Equal(HttpStatusCode.OK, compressed.StatusCode);
            Assert.Equal("public, max-age=31536000, immutable", compressed.Headers.GetValues("Cache-Control").Single());
            Assert.Equal("br", compressed.Content.Headers.ContentEncoding.Single());
            Assert.Empty(plain.Content.Headers.ContentEncoding);
            whole += plain.Content.Headers.ContentLength!.Value;
            transferred += compressed.Content.Headers.ContentLength!.Value;
        }

        Assert.InRange(transferred, 1, Math.Min(most, whole / 2));
    }

    /// <summary>Styles and every script that is loaded at once count as the first load; each page's own scripts come on top when it is opened.</summary>
    [Fact]
    public void Dashboard_stays_small()
    {
        var root = Path.Combine(AppContext.BaseDirectory, "wwwroot");
        var manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(root, "manifest.json")))!.AsObject();
        long SizeOf(IEnumerable<string> chunks) => chunks.Distinct()
            .SelectMany(name => manifest[name]!["css"]?.AsArray().Select(css => (string)css!).Append((string)manifest[name]!["file"]!) ?? [(string)manifest[name]!["file"]!])
            .Distinct().Sum(file => new FileInfo(Path.Combine(root, file + ".br")).Length);
        IEnumerable<string> Needs(string chunk) =>
            (manifest[chunk]!["imports"]?.AsArray().SelectMany(import => Needs((string)import!)) ?? []).Append(chunk);

        var first = Needs("src/dashboard/main.tsx").ToHashSet();
        var pages = manifest["src/dashboard/main.tsx"]!["dynamicImports"]!.AsArray().Select(page => (string)page!)
            .ToDictionary(page => page, page => SizeOf(Needs(page).Except(first)));

        Assert.InRange(SizeOf(first), 1, 150_000);
        Assert.True(pages.Count > 15);
        Assert.All(pages, page => Assert.InRange(page.Value, 1, 60_000));
        output.WriteLine($"First load {SizeOf(first)} bytes; largest page {pages.MaxBy(page => page.Value)}.");
    }

    [Fact]
    public async Task Widget_is_one_small_script_at_an_address_that_stays()
    {
        using var plain = await GetAsync(WebAssets.WidgetPath, "gzip");
        using var compressed = await GetAsync(WebAssets.WidgetPath, "gzip, br");

        Assert.Equal("text/javascript", plain.Content.Headers.ContentType!.MediaType);
        Assert.DoesNotContain("import\"", await plain.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        Assert.Equal("br", compressed.Content.Headers.ContentEncoding.Single());
        Assert.Equal("public, max-age=3600", compressed.Headers.GetValues("Cache-Control").Single());
        Assert.InRange(compressed.Content.Headers.ContentLength!.Value, 1, 8_000);
    }

    [Theory]
    [InlineData("nothing.js")]
    [InlineData("..%2Fmanifest.json")]
    [InlineData("manifest.json")]
    public async Task Other_files_are_out_of_reach(string name)
    {
        using var response = await GetAsync($"/assets/{name}", "br");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    private static string Unpacked(Answer answer)
    {
        Assert.Equal("br", answer["Content-Encoding"]);
        using var reader = new StreamReader(new BrotliStream(new MemoryStream(answer.Bytes), CompressionMode.Decompress));
        return reader.ReadToEnd();
    }

    private async Task<HttpResponseMessage> GetAsync(string address, string acceptEncoding)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _app.Urls.First() + address);
        request.Headers.AcceptEncoding.ParseAdd(acceptEncoding);
        return await _outbound.SendAsync(request, Cancel);
    }

    [GeneratedRegex("/assets/[^\"]+")]
    private static partial Regex Address();

    // Loaded with the script; import() is not.
    [GeneratedRegex("(?:import|from) ?[`'\"]\\./([^`'\"]+)")]
    private static partial Regex Import();
}
