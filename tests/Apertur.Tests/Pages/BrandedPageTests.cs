using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Pages;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>A project's name, logo and colour as browsers show them.</summary>
public sealed class BrandedPageTests : BrowserTests
{
    [Theory]
    [InlineData("light", true)]
    [InlineData("dark", true)]
    [InlineData("dark", false)]
    public async Task Page_has_the_colour_and_logo_of_its_project_with_scripts_and_without(string scheme, bool scripts)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        var drawing = Convert.ToBase64String(Encoding.UTF8.GetBytes("<svg xmlns='http://www.w3.org/2000/svg' width='90' height='30'><rect width='90' height='30' fill='#07c'/></svg>"));
        (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject
        {
            ["branding"] = new JsonObject { ["name"] = "Roofs", ["accent"] = "#ffe600", ["logo"] = drawing },
        })).Expect(HttpStatusCode.OK);
        var session = await app.Client.CreateSessionAsync();
        List<string> problems = [];
        var page = await Chromium.OpenAsync("about:blank", Browser.Phone, scripts);
        page.Console += (_, message) => problems.Add(message.Text);
        await page.GotoAsync($"{app.Url}/u/{session}?lang=en&colorScheme={scheme}");

        await Assertions.Expect(page.Locator(".project")).ToContainTextAsync("Roofs");
        await Assertions.Expect(page.Locator(".project img")).ToHaveJSPropertyAsync("naturalWidth", 480);
        var accent = Accent.Of(Colour.Parse("ffe600")!.Value);
        var expected = scheme == "dark" ? accent.Dark : accent.Light;
        await Assertions.Expect(page.Locator(scripts ? "#take" : "#send")).ToHaveCSSAsync("background-color", $"rgb({expected.Red}, {expected.Green}, {expected.Blue})");
        Assert.Empty(problems);
        if (scripts)
            Assert.Empty(await page.ViolationsAsync());
    }
}
