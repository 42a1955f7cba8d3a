using System.Globalization;
using System.Net;
using Apertur.Server.Pages;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Pages;

/// <summary>Whatever colour a project has, its pages can be read.</summary>
public sealed class AccentTests
{
    [Fact]
    public void Every_colour_can_be_read_in_both_schemes_and_what_stands_on_it_too()
    {
        byte[] values = [.. Enumerable.Range(0, 18).Select(step => (byte)(step * 15))];
        var colours = from red in values from green in values from blue in values select new Colour(red, green, blue);
        foreach (var colour in colours)
        {
            var (light, dark) = Accent.Of(colour);
            Assert.All(Accent.LightGrounds, ground => Assert.InRange(light.Contrast(ground), Accent.MinContrast, 21));
            Assert.All(Accent.DarkGrounds, ground => Assert.InRange(dark.Contrast(ground), Accent.MinContrast, 21));
            Assert.InRange(light.Contrast(light.TextOnIt), Accent.MinContrast, 21);
            Assert.InRange(dark.Contrast(dark.TextOnIt), Accent.MinContrast, 21);
        }
    }

    [Fact]
    public void Colour_that_can_be_read_stays_as_it_is_and_contrast_is_that_of_the_standard()
    {
        Assert.Equal(21, Colour.White.Contrast(Colour.Black), 6);
        Assert.Equal(4.54, Colour.White.Contrast(new(0x76, 0x76, 0x76)), 2);
        Assert.Equal("0b6b5a", Accent.Of(Colour.Parse("#0B6B5A")!.Value).Light.ToString());
        Assert.Equal("63cdb7", Accent.Of(Colour.Parse("63cdb7")!.Value).Dark.ToString());
        Assert.NotEqual("ffff00", Accent.Of(Colour.Parse("#ff0")!.Value).Light.ToString());
    }

    [Fact]
    public void Grounds_are_those_of_the_pages()
    {
        var schemes = RepositoryFiles.Read("web/src/design/tokens.css").Split(":root[data-scheme=dark]");
        foreach (var (grounds, tokens) in new[] { (Accent.LightGrounds, schemes[0]), (Accent.DarkGrounds, schemes[1]) })
            Assert.Equal(grounds, new[] { "--page: ", "--card: " }.Select(name => Colour.Parse(tokens.Split(name)[1].Split(';')[0])!.Value));
    }

    [Fact]
    public async Task Style_sheet_of_a_colour_may_be_kept_and_there_is_none_of_anything_else()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var phone = app.ClientOf(null);

        var sheet = (await phone.GetAsync("/accents/ffff00.css")).Expect(HttpStatusCode.OK);
        Assert.Equal("public, max-age=31536000, immutable", sheet["Cache-Control"]);
        Assert.StartsWith("text/css", sheet["Content-Type"], StringComparison.Ordinal);
        var light = Accent.Of(new(255, 255, 0)).Light;
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $":root{{--accent:#{light};--on-accent:#{light.TextOnIt}}}"), sheet.Text, StringComparison.Ordinal);
        foreach (var name in new[] { "ffff00", "red.css", "fffffff.css", "%7D*%7B.css", "-ffff0.css" })
            Assert.Equal((name, HttpStatusCode.NotFound), (name, (await phone.GetAsync($"/accents/{name}")).Status));
    }
}
