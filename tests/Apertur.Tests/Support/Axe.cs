using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace Apertur.Tests.Support;

/// <summary>What axe-core finds wrong on a page, a line each: how bad it is, which rule, and the first places.</summary>
internal static class Axe
{
    private static readonly string _script = new BundledAxeScriptProvider().GetScript();

    /// <summary>All rules that axe-core has for WCAG 2.2 AA, and its best practices.</summary>
    public static Task<string[]> ViolationsAsync(this IPage page) =>
        RunAsync(page, "tag", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);

    /// <summary>Nothing else changes with the colour scheme.</summary>
    public static Task<string[]> ContrastViolationsAsync(this IPage page) => RunAsync(page, "rule", ["color-contrast"]);

    // In the page itself, which has no frames: the package for Playwright opens a second page for each look, and reads what is right as well.
    private static async Task<string[]> RunAsync(IPage page, string type, string[] values)
    {
        if (!await page.EvaluateAsync<bool>("'axe' in window"))
            await page.EvaluateAsync(_script);
        return await page.EvaluateAsync<string[]>(
            """
            async runOnly => (await axe.run({ runOnly, resultTypes: ['violations'] })).violations.map(({ impact, id, nodes }) =>
              `${impact} ${id}: ${nodes.slice(0, 3).map(node => node.html).join(' | ')}`)
            """,
            new { type, values });
    }
}
