using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;

namespace Apertur.Server.Pages;

/// <summary>
/// The words of the pages in one language, from <c>web/src/texts</c>: the same file serves the page made here and its script.
/// A missing text is an exception.
/// </summary>
internal sealed class Texts
{
    private static readonly FrozenDictionary<string, Texts> _all =
        new[] { "en", "fr", "es", "de", "pt", "it", "nl", "pl", "ar", "hi", "zh", "ja" }.ToFrozenDictionary(language => language, language => new Texts(language));

    private readonly FrozenDictionary<string, string> _words;
    private readonly Dictionary<string, string> _ofSealingScript, _ofScript;

    private Texts(string language)
    {
        using var stream = typeof(Texts).Assembly.GetManifestResourceStream($"texts.{language}")
            ?? throw new InvalidOperationException($"The program holds no texts in {language}");
        Words = JsonSerializer.Deserialize<Dictionary<string, string>>(stream)!;
        _words = Words.ToFrozenDictionary();
        _ofSealingScript = Words.Where(word => word.Key.Split('.')[0] is not ("page" or "web" or "pick")).ToDictionary();
        OfPicker = Words.Where(word => word.Key.StartsWith("pick.", StringComparison.Ordinal)).ToDictionary();
        _ofScript = _ofSealingScript.Where(word => word.Key is not ("sealed" or "sealedAndChecked" or "sealingNeedsHttps")).ToDictionary();
    }

    public IReadOnlyDictionary<string, string> Words { get; }

    /// <summary>
    /// Those that the script of the upload page may need at once: <c>page.*</c> are written by the server only, and a part of the script loads
    /// <c>web.*</c> when somebody wants it, so phones wait for neither.
    /// </summary>
    /// <param name="seals">Whether it encrypts photos, and has something to say of that.</param>
    public IReadOnlyDictionary<string, string> OfScript(bool seals) => seals ? _ofSealingScript : _ofScript;

    /// <summary>Those of the script of the window in which photos of a provider are picked.</summary>
    public IReadOnlyDictionary<string, string> OfPicker { get; }

    public string this[string name] => _words[name];

    public static IEnumerable<string> Languages => _all.Keys;

    public static Texts In(string language) => _all[language];

    public static bool Has(string? language) => language is not null && _all.ContainsKey(language);

    public string Fill(string name, params ReadOnlySpan<(string Hole, object Value)> values)
    {
        var text = this[name];
        foreach (var (hole, value) in values)
            text = text.Replace($"{{{hole}}}", string.Create(CultureInfo.InvariantCulture, $"{value}"), StringComparison.Ordinal);
        return text;
    }

    /// <summary>A text with a count, <c>{n}</c>, in it: the one of <c>nameOne</c> and <c>nameOther</c> that fits.</summary>
    public string Count(string name, int count) => Fill(name + (count == 1 ? "One" : "Other"), ("n", count));

    /// <summary>An instant in words, in UTC: the server does not know where the reader is; the script does.</summary>
    public string Date(DateTimeOffset instant)
    {
        var utc = instant.ToUniversalTime();
        return Fill("page.date", ("day", utc.Day), ("month", this["page.months"].Split(' ')[utc.Month - 1]), ("year", utc.Year),
            ("time", utc.ToString("HH':'mm", CultureInfo.InvariantCulture)));
    }

    /// <summary>Own words for an error code of the API, else the message that came with it.</summary>
    public string Refusal(string code, string message) =>
        _words.ContainsKey($"error.{code}") ? Fill($"error.{code}", ("message", message)) : message;
}
