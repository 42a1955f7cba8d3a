using System.Globalization;
using Apertur.Server.Pages;

namespace Apertur.Server.Commands.Demo;

/// <summary>What the demo's webhook received, newest first. The script in <c>web/src/inbox</c> adds new photos by itself.</summary>
internal static class InboxPage
{
    private static readonly PageLook _look = new("en");

    public static Html Html(IReadOnlyList<InboxItem> items) => PageShell.Document(_look, "Inbox", "src/inbox/page.ts", $"""
        <main>
        <header>
        <h1>Inbox</h1>
        <p>Photos that a webhook received from Apertur, on this machine. It checked the signature and the SHA-256 of each.</p>
        </header>
        <ul id="photos" aria-live="polite" aria-relevant="additions">{items.Select(Item)}</ul>
        <p id="empty">Nothing has arrived yet. Open the upload link, take a photo, and it appears here.</p>
        </main>
        """);

    private static Html Item(InboxItem item)
    {
        var instant = item.ReceivedAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        var time = item.ReceivedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
        return $"""
            <li id="photo-{item.Id.ToString()}">
            {Picture(item)}
            <div class="facts">
            <h2><bdi>{item.FileName}</bdi></h2>
            <p>{Size(item.Size)} · <time datetime="{instant}">{time}</time></p>
            <p class="verified">✓ Signature verified</p>
            <dl>
            <dt>SHA-256</dt>
            <dd><code title="{item.Sha256}">{item.Sha256[..12]}…</code>
            <button class="copy" type="button" data-copy="{item.Sha256}" title="Copy the SHA-256">Copy</button></dd>
            <dt>Session</dt>
            <dd><code title="{item.SessionId}">{item.SessionId}</code></dd>
            </dl>
            </div>
            </li>

            """;
    }

    private static Html Picture(InboxItem item)
    {
        var address = $"/photos/{item.Id}";
        if (item.MimeType is "image/jpeg" or "image/png" or "image/webp")
            return $"<a class=\"picture\" href=\"{address}\"><img src=\"{address}\" alt=\"{item.FileName}\" loading=\"lazy\"></a>";
        // Most browsers cannot show HEIC.
        var kind = item.MimeType.Split('/')[^1].ToUpperInvariant();
        return $"<a class=\"picture\" href=\"{address}\" download=\"{item.FileName}\">{kind}</a>";
    }

    private static string Size(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.#} kB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.##} MB"),
    };
}
