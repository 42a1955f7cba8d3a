using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Apertur.Tests.Pages;

/// <summary>/docs in the system's Chromium.</summary>
public sealed class ReferencePageInBrowserTests
{
    [Fact]
    public async Task Call_is_found_by_its_method_and_path_and_tried_with_a_key()
    {
        await using var browser = await Browser.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await browser.OpenAsync("about:blank");
        var requests = new ConcurrentQueue<string>();
        var messages = new ConcurrentQueue<string>();
        page.Request += (_, request) => requests.Enqueue(request.Url);
        page.Console += (_, message) => messages.Enqueue($"{message.Type} {message.Text}");
        page.PageError += (_, error) => messages.Enqueue($"error {error}");

        await page.GotoAsync(app.Url + "/docs");
        await page.GetByPlaceholder("Token").First.FillAsync(app.LiveKey);
        await page.Keyboard.PressAsync("Control+k");
        await page.GetByRole(AriaRole.Combobox, new() { Name = "Enter search query" }).FillAsync("/api/v1/stats");
        await page.GetByRole(AriaRole.Option).And(page.Locator("[id$='GET/api/v1/stats']")).ClickAsync();
        await page.Locator("section[id$='GET/api/v1/stats']").GetByRole(AriaRole.Button, new() { NameRegex = new("Test Request") }).ClickAsync();
        var answer = await page.RunAndWaitForResponseAsync(
            () => page.GetByRole(AriaRole.Button, new() { NameRegex = new("^Send") }).First.ClickAsync(),
            response => response.Url.EndsWith("/api/v1/stats", StringComparison.Ordinal));

        Assert.Equal(200, answer.Status);
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "200 OK" })).ToBeVisibleAsync();
        Assert.All(requests, url => Assert.StartsWith(app.Url, url.Replace("blob:", "", StringComparison.Ordinal), StringComparison.Ordinal));
        Assert.DoesNotContain(messages, message => message.StartsWith("error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Page_lists_every_call_by_method_and_path()
    {
        await using var browser = await Browser.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var page = await browser.OpenAsync(app.Url + "/docs", Browser.Phone);
        await page.GetByRole(AriaRole.Button, new() { NameRegex = new("menu", RegexOptions.IgnoreCase) }).First.ClickAsync();
        await Expect(page.Locator("[data-sidebar-id$='POST/api/v1/auth/login']").Last).ToBeVisibleAsync();
        var listed = await page.Locator("[data-sidebar-id]").EvaluateAllAsync<string[]>("rows => rows.map(row => row.dataset.sidebarId)");

        Assert.All(
            JsonNode.Parse(RepositoryFiles.Read("docs/openapi.json"))!["paths"]!.AsObject(),
            path => Assert.All(path.Value!.AsObject(), method => Assert.Contains(
                listed, id => id.EndsWith($"/{method.Key.ToUpperInvariant()}{path.Key}", StringComparison.Ordinal))));
    }
}
