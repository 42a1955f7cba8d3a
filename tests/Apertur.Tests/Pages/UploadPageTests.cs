using System.Globalization;
using Apertur.Server.Pages;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Pages;

public sealed class UploadPageTests
{
    private const string Hostile = "<img src=x onerror=alert(1)>\"'</script>&";

    private static readonly UploadPageModel Open = new()
    {
        SessionId = "3c0f4a51-7c3e-4a47-9a1a-0d3f3a3d6a11",
        Status = UploadPageStatus.Open,
        Look = new PageLook("en"),
        ProjectName = "Field work",
        Label = "Roof, north side",
        MaxImages = 20,
        ImagesCount = 19,
        MaxImageSizeMb = 12,
        ExpiresAt = DateTimeOffset.Parse("2026-06-12T09:44:41Z", CultureInfo.InvariantCulture),
    };

    [Fact]
    public void Names_that_people_give_never_become_markup()
    {
        var page = UploadPage.Render(Open with
        {
            SessionId = Hostile,
            ProjectName = Hostile,
            Label = Hostile,
            AcceptedTypes = [Hostile],
            Results = [new UploadPageResult(Hostile), new UploadPageResult(Hostile, Hostile, Hostile)],
        }).ToString();

        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain("onerror=alert(1)>", page, StringComparison.Ordinal);
        Assert.Equal(UploadPage.Render(Open).ToString().Split("</script>").Length, page.Split("</script>").Length);
        Assert.DoesNotContain(" style=", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_protected_page_tells_neither_label_nor_limits_before_the_password()
    {
        var page = UploadPage.Render(Open with { PasswordNeeded = true, AcceptedTypes = ["image/png"] }).ToString();

        Assert.DoesNotContain("Roof", page, StringComparison.Ordinal);
        Assert.DoesNotContain("12&#xA0;MB", page, StringComparison.Ordinal);
        Assert.Contains("\"limits\":null", page, StringComparison.Ordinal);
        Assert.Contains("image/jpeg", page, StringComparison.Ordinal);
        Assert.Contains("name=\"password\"", page, StringComparison.Ordinal);
        Assert.Contains("Field work", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Instructions_are_paragraphs_lists_and_bold_words_and_nothing_else()
    {
        var page = UploadPage.Render(Open with { Instructions = $"Four photos, **one of each side**:\r\n- front\r\n- back {Hostile}\n\n2 ** 3, **thanks" }).ToString();

        Assert.Contains(
            "<p>Four photos, <strong>one of each side</strong>:</p><ul><li>front</li><li>back &lt;img", page, StringComparison.Ordinal);
        Assert.Contains("<p>2 <strong> 3, </strong>thanks</p>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain("Four photos", UploadPage.Render(Open with { Instructions = "Four photos", PasswordNeeded = true }).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_limits_stand_in_the_page_and_in_the_data_of_its_script()
    {
        var page = UploadPage.Render(Open).ToString();

        Assert.Contains("One more photo · JPEG, PNG, WebP, HEIC · 12&#xA0;MB each", page, StringComparison.Ordinal);
        Assert.Contains("Open until 12 June 2026, 09:44 UTC", page, StringComparison.Ordinal);
        Assert.Contains("\"limits\":{\"left\":1,", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_file_is_explained_in_the_language_of_the_page()
    {
        var page = UploadPage.Render(Open with
        {
            Look = new PageLook("fr"),
            Results = [new UploadPageResult("a.jpg"), new UploadPageResult("b.jpg", "IMAGE_TOO_LARGE", "It is 30 MB"),
                new UploadPageResult("c.jpg", "SOMETHING_NEW", "A sentence of the server.")],
        }).ToString();

        Assert.Contains("Reçue", page, StringComparison.Ordinal);
        Assert.Contains("Cette photo est trop lourde.", page, StringComparison.Ordinal);
        Assert.Contains("A sentence of the server.", page, StringComparison.Ordinal);
        Assert.Contains("action=\"/u/3c0f4a51-7c3e-4a47-9a1a-0d3f3a3d6a11?lang=fr\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_language_has_every_word_and_every_hole()
    {
        var english = Texts.In("en");
        foreach (var language in Texts.Languages)
        {
            var words = Texts.In(language).Words;
            Assert.Equal(english.Words.Keys.Order(), words.Keys.Order());
            Assert.All(words, word => Assert.Equal(Holes(english[word.Key]), Holes(word.Value)));
            Assert.Equal(12, words["page.months"].Split(' ').Length);
        }

        static IEnumerable<string> Holes(string text) =>
            text.Split('{').Skip(1).Select(part => part[..part.IndexOf('}', StringComparison.Ordinal)]).Order();
    }

    [Theory]
    [InlineData("?lang=es", "fr", "es", null)]
    [InlineData("?lang=xx&colorScheme=dark", "sv, fr-CA;q=0.8, en;q=0.9", "en", "dark")]
    [InlineData("?colorScheme=purple", "FR-ca", "fr", null)]
    [InlineData("", "zh-Hant-TW, en;q=0.5", "zh", null)]
    [InlineData("", "", "en", null)]
    public void The_link_rules_over_the_browser(string query, string acceptLanguage, string language, string? scheme)
    {
        var request = new DefaultHttpContext().Request;
        request.QueryString = new QueryString(query);
        request.Headers.AcceptLanguage = acceptLanguage;

        Assert.Equal(new PageLook(language, scheme), PageLook.Of(request));
    }

    [Theory]
    [InlineData(UploadPageStatus.Open, 200)]
    [InlineData(UploadPageStatus.Completed, 200)]
    [InlineData(UploadPageStatus.Full, 200)]
    [InlineData(UploadPageStatus.Expired, 410)]
    [InlineData(UploadPageStatus.NotFound, 404)]
    internal async Task The_page_is_sent_with_its_status_and_locked_down(UploadPageStatus status, int code)
    {
        var response = new DefaultHttpContext().Response;

        await UploadPage.Result(Open with { Status = status }).ExecuteAsync(response.HttpContext);

        Assert.Equal(code, response.StatusCode);
        Assert.Equal("no-store", response.Headers.CacheControl);
        Assert.Equal("no-referrer", response.Headers["Referrer-Policy"]);
        var policy = response.Headers.ContentSecurityPolicy.ToString();
        Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("frame-ancestors", policy, StringComparison.Ordinal);
    }
}
