using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Tests.Support;
using Apertur.Tests.Thumbnails;
using NetVips;

namespace Apertur.Tests.Projects;

/// <summary>Projects say how the pages of their sessions look.</summary>
public sealed class BrandingTests
{
    private const string Drawing = """
        <svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="200" height="50" onload="alert(1)">
        <script>alert(1)</script><image xlink:href="file:///etc/passwd" width="9" height="9"/><rect width="200" height="50" fill="#c00"/></svg>
        """;

    [Theory, AllDatabases]
    public async Task Pages_of_a_project_look_as_it_says_and_those_of_others_do_not(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var mine = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var other = (string)(await owner.Client.PostAsync("projects", new { name = "Cellars" })).Expect(HttpStatusCode.Created).Json["id"]!;
        var theirs = (string)(await owner.Client.PostAsync("upload-sessions", new { project_id = other })).Expect(HttpStatusCode.Created).Json["id"]!;
        Assert.Equal("""{"name":null,"logo":null,"accent":null,"returnUrl":null}""", (await BrandAsync(owner, app.ProjectId, new())).ToJsonString());

        var brand = await BrandAsync(owner, app.ProjectId, new()
        {
            ["name"] = "Roofs <&> Co",
            ["accent"] = "#FFEE00",
            ["returnUrl"] = "https://roofs.example/",
            ["logo"] = "data:image/svg+xml;base64," + Base64(Drawing),
        });

        Assert.Equal(("Roofs <&> Co", "#ffee00", "https://roofs.example/"), ((string?)brand["name"], (string?)brand["accent"], (string?)brand["returnUrl"]));
        var logo = (string)brand["logo"]!;
        string[] words = [$"<img src=\"{logo}\"", "/accents/ffee00.css", "Roofs &lt;&amp;&gt; Co"];
        var page = (await app.ClientOf(null).GetAsync($"/u/{mine}")).Expect(HttpStatusCode.OK);
        Assert.All(words, word => Assert.Contains(word, page.Text, StringComparison.Ordinal));
        Assert.DoesNotContain("unsafe-inline", page["Content-Security-Policy"], StringComparison.Ordinal);
        Assert.DoesNotContain("style=", page.Text, StringComparison.Ordinal);
        var plain = (await app.ClientOf(null).GetAsync($"/u/{theirs}")).Expect(HttpStatusCode.OK).Text;
        Assert.All(words, word => Assert.DoesNotContain(word, plain, StringComparison.Ordinal));
        Assert.Contains("Cellars", plain, StringComparison.Ordinal);
        await app.Client.PostAsync($"upload-sessions/{mine}/complete");
        Assert.Contains(words[0], (await app.ClientOf(null).GetAsync($"/u/{mine}")).Text, StringComparison.Ordinal);

        // What a session says counts for more.
        foreach (var (session, url) in new[] { (new JsonObject(), "https://roofs.example/"), (new() { ["return_url"] = "https://a.example/" }, "https://a.example/") })
        {
            var id = await app.Client.CreateSessionAsync(session);
            Assert.Equal(url, (string?)(await app.Client.GetAsync($"upload/{id}/session")).Json["returnUrl"]);
            Assert.Contains($"href=\"{url}\"", (await app.ClientOf(null).GetAsync($"/u/{id}")).Text, StringComparison.Ordinal);
        }

        // What is absent stays, the logo's own path means itself, null takes away.
        brand = await BrandAsync(owner, app.ProjectId, new() { ["name"] = null, ["logo"] = logo });
        Assert.Equal((null, logo, "#ffee00"), ((string?)brand["name"], (string?)brand["logo"], (string?)brand["accent"]));
        brand = (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { ["branding"] = null })).Expect(HttpStatusCode.OK).Json["branding"]!;
        Assert.Equal("""{"name":null,"logo":null,"accent":null,"returnUrl":null}""", brand.ToJsonString());
        Assert.Equal(HttpStatusCode.NotFound, (await app.ClientOf(null).GetAsync(logo)).Status);
    }

    [Fact]
    public async Task Logo_is_drawn_anew_and_served_so_that_nothing_in_it_can_run()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();

        foreach (var (given, width, height) in new[] { (Base64(Drawing), 480, 120), (Convert.ToBase64String(Pictures.Transparent()), 240, 160) })
        {
            var path = (string)(await BrandAsync(owner, app.ProjectId, new() { ["logo"] = given }))["logo"]!;
            var served = (await app.ClientOf(null).GetAsync(path)).Expect(HttpStatusCode.OK);

            Assert.Equal("image/png", served["Content-Type"]);
            Assert.Equal("nosniff", served["X-Content-Type-Options"]);
            Assert.Equal("default-src 'none'; sandbox", served["Content-Security-Policy"]);
            Assert.Equal("public, max-age=31536000, immutable", served["Cache-Control"]);
            using var picture = Image.NewFromBuffer(served.Bytes);
            Assert.Equal((width, height), (picture.Width, picture.Height));
            Assert.DoesNotContain("script", Encoding.Latin1.GetString(served.Bytes), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_cannot_be_a_logo_or_a_colour_or_an_address_is_refused_by_name()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        var png = Pictures.Transparent();
        foreach (var (field, value) in new (string, string)[]
        {
            ("logo", "not base64!"), ("logo", Base64("GIF89a")), ("logo", Base64("<html><body>no drawing</body></html>")), ("logo", Base64("<svg")),
            ("logo", Convert.ToBase64String(Photos.Jpeg())), ("logo", Convert.ToBase64String(Pictures.Huge())), ("logo", Convert.ToBase64String(Pictures.MemoryBomb())),
            ("logo", Convert.ToBase64String(png[..(png.Length / 2)])),
            ("logo", Convert.ToBase64String(new byte[Logos.MaxBytes + 1])),
            ("accent", "red"), ("accent", "#12345"), ("accent", "0;}*{"), ("returnUrl", "http://roofs.example/"), ("returnUrl", "javascript:alert(1)"),
            ("name", new string('x', 201)),
        })
        {
            var refused = await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { ["branding"] = new JsonObject { [field] = value } });
            Assert.Equal((value[..Math.Min(30, value.Length)], HttpStatusCode.BadRequest), (value[..Math.Min(30, value.Length)], refused.Status));
            Assert.Equal("branding." + field, (string)refused.Json["errors"]![0]!["field"]!);
        }

        Assert.Equal("""{"name":null,"logo":null,"accent":null,"returnUrl":null}""", (await BrandAsync(owner, app.ProjectId, new())).ToJsonString());
    }

    [Fact]
    public async Task Drawing_that_grows_without_end_ends_nothing_but_its_own_process()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        var entities = string.Concat(Enumerable.Range(1, 9).Select(n => $"<!ENTITY e{n} \"{string.Concat(Enumerable.Repeat($"&e{n - 1};", 10))}\">"));
        var bomb = $"<!DOCTYPE svg [<!ENTITY e0 \"<rect width='9' height='9'/>\">{entities}]><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>&e9;</svg>";

        var answer = await owner.Client.SendAsync(
            HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { ["branding"] = new JsonObject { ["logo"] = Base64(bomb) } });

        Assert.Equal("branding.logo", (string)answer.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
        Assert.NotNull((await BrandAsync(owner, app.ProjectId, new() { ["logo"] = Base64(Drawing) }))["logo"]);
    }

    private static async Task<JsonNode> BrandAsync(SignedIn owner, Guid project, JsonObject branding) =>
        (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{project}", new JsonObject { ["branding"] = branding })).Expect(HttpStatusCode.OK).Json["branding"]!;

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
