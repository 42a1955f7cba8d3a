using System.Globalization;
using System.Text;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

public sealed class KeyTemplateTests
{
    private static readonly string[] _hostile =
    [
        "..", ".", "...", "/", "\\", "../../etc/passwd", "..\\..\\boot.ini", "a/../b", "/absolute", "C:\\x",
        "\\\\host\\share", "",
        " ", " .. ", "a\0b", "a\r\nb", "a\u2028b", "\u202Ecod.exe", "\u200Bzero", "\uFEFFbom", "\uD800lone", "lone\uDC00",
        "\uFFFE", "a\uFFFFb", "\uFDD0", "\U0001FFFE",
        "..%2f..%2f",
        "%2e%2e", "\u2025/", "{filename}", "{tag:x}", "{", "}", "a:b", "a*?\"<>|b", "\uE000private", "\t", "....//....//",
        "a.b\\c", new('a', 3000), new('é', 3000), new('.', 3000), "a." + new string('b', 3000), new string('\u6F22', 400) + ".jpg",
    ];

    public static TheoryData<string> Variables { get; } =
        new("{project}", "{session}", "{id}", "{index}", "{date}", "{filename}", "{ext}", "{tag:name}");

    [Theory]
    [MemberData(nameof(Variables))]
    public void A_variable_never_adds_a_segment_nor_leaves_the_prefix(string variable)
    {
        foreach (var text in _hostile)
        {
            var delivery = Hostile(text);
            foreach (var name in (string[])[variable, $"{variable}/x.jpg", $"a{variable}b", $".{variable}.", "{tag:absent}"])
            {
                var template = "photos/" + name;
                Assert.Null(KeyTemplate.Problem(template));
                var key = KeyTemplate.Render(template, delivery);
                AssertSound(key, template.Count(c => c == '/'));
                AssertSound(KeyTemplate.Alternative(key, delivery), template.Count(c => c == '/'));
            }
        }
    }

    [Fact]
    public void A_key_of_many_long_variables_still_fits_and_stays_inside_the_prefix()
    {
        var template = "photos/" + string.Join('/', Enumerable.Repeat("{filename}", 20));
        foreach (var text in _hostile)
        {
            var key = KeyTemplate.Render(template, Hostile(text));
            AssertSound(key, 20);
            AssertSound(KeyTemplate.Alternative(key, Hostile(text)), 20);
        }
    }

    [Fact]
    public void The_longest_template_leaves_room_for_a_name()
    {
        var template = new string('x', 250) + "/" + new string('y', 250) + "/{id}";
        Assert.Null(KeyTemplate.Problem(template));
        var delivery = Hostile("a.jpg");
        Assert.EndsWith("/" + delivery.ImageId, KeyTemplate.Render(template, delivery), StringComparison.Ordinal);
    }

    [Fact]
    public void The_default_says_day_session_and_position()
    {
        var delivery = Hostile("IMG 1.jpg");
        Assert.Equal($"apertur/2026-06-12/{delivery.SessionId}/2-IMG 1.jpg", KeyTemplate.Render(KeyTemplate.Default, delivery));
    }

    [Fact]
    public void The_day_is_the_one_in_utc()
    {
        var delivery = Hostile("a.jpg") with { ReceivedAt = new DateTimeOffset(2026, 6, 12, 23, 30, 0, TimeSpan.FromHours(-5)) };
        Assert.Equal("2026-06-13", KeyTemplate.Render("{date}", delivery));
    }

    [Fact]
    public void A_tag_gives_the_rest_of_the_first_of_its_name()
    {
        var delivery = Hostile("a.jpg") with { Tags = ["claims", "claim:47:11", "claim:2"] };
        Assert.Equal("47_11/a.jpg", KeyTemplate.Render("{tag:claim}/{filename}", delivery));
        Assert.Equal("a.jpg", KeyTemplate.Render("{tag:other}/{filename}", delivery));
    }

    [Theory]
    [InlineData("photos/")]
    [InlineData("photos/{tag:absent}")]
    [InlineData("/photos//{tag:absent}")]
    public void A_template_that_names_a_folder_gets_the_id_as_name(string template)
    {
        var delivery = Hostile("a.jpg");
        Assert.Equal($"photos/{delivery.ImageId}.jpg", KeyTemplate.Render(template, delivery));
    }

    [Fact]
    public void Another_name_for_the_same_key_is_the_same_for_repeats_and_another_for_other_images()
    {
        var (one, other) = (Hostile("a.jpg"), Hostile("a.jpg"));
        Assert.Equal($"photos/a-{one.ImageId}.jpg", KeyTemplate.Alternative("photos/a.jpg", one));
        Assert.NotEqual(KeyTemplate.Alternative("photos/a.jpg", one), KeyTemplate.Alternative("photos/a.jpg", other));
        // Of another rendition the bytes are others.
        Assert.Equal($"photos/a-{one.ImageId}-{one.Sha256[..8]}.jpg", KeyTemplate.Alternative("photos/a.jpg", one with { IsRendition = true }));
    }

    [Fact]
    public void Another_name_for_a_key_tells_images_apart_however_long_the_name_is()
    {
        var (one, other) = (Hostile("a.jpg"), Hostile("a.jpg"));
        var key = KeyTemplate.Render("photos/{filename}", Hostile(new string('a', 300) + ".jpg"));
        Assert.EndsWith($"-{one.ImageId}.jpg", KeyTemplate.Alternative(key, one), StringComparison.Ordinal);
        Assert.NotEqual(KeyTemplate.Alternative(key, one), KeyTemplate.Alternative(key, other));
    }

    [Fact]
    public void Characters_that_drives_and_file_systems_refuse_become_underscores()
    {
        const string refused = "/\\:*?\"<>|\t\u007F\u200B\u2028\u2029\uE000\uFFFD\uFFFE\uFFFF\uFDD0\uD800";
        Assert.Equal($"photos/a{new string('_', refused.Length)}b.jpg", KeyTemplate.Render("photos/{filename}", Hostile($"a{refused}b.jpg")));
    }

    [Theory]
    [InlineData("a 1 é \u6F22 \uFDF2 \uFF41 \U0001F4F7-_+(2).jpg")]
    public void Characters_that_every_drive_takes_stay(string name) =>
        Assert.Equal("photos/" + name, KeyTemplate.Render("photos/{filename}", Hostile(name)));

    [Fact]
    public void Each_variable_gives_what_it_is_called()
    {
        var delivery = Hostile("a.jpg") with { ProjectName = "Claims" };
        Assert.Equal(
            $"Claims/{delivery.SessionId}/{delivery.ImageId}/2/2026-06-12/a.jpg/jpg",
            KeyTemplate.Render("{project}/{session}/{id}/{index}/{date}/{filename}/{ext}", delivery));
    }

    [Fact]
    public void Ending_comes_without_its_dot() => Assert.Equal("photos/2.jpg", KeyTemplate.Render("photos/{index}.{ext}", Hostile("a.jpg")));

    [Theory]
    [InlineData("{name}")]
    [InlineData("{Filename}")]
    [InlineData("{tag:}")]
    [InlineData("{tag:a/b}")]
    [InlineData("{filename")]
    [InlineData("filename}")]
    [InlineData("{{filename}}")]
    [InlineData("../{filename}")]
    [InlineData("a/./{filename}")]
    [InlineData("a/..")]
    [InlineData("a\\{filename}")]
    [InlineData("a\n{filename}")]
    public void A_template_that_cannot_be_used_is_refused(string template) => Assert.NotNull(KeyTemplate.Problem(template));

    [Fact]
    public void A_template_is_measured_in_bytes()
    {
        Assert.Null(KeyTemplate.Problem(new string('x', 512)));
        Assert.NotNull(KeyTemplate.Problem(new string('x', 513)));
        Assert.NotNull(KeyTemplate.Problem(new string('é', 257)));
    }

    private static Delivery Hostile(string text) =>
        Sample.Delivery(new DestinationConfig([], []), 10, text) with { ProjectName = text, Tags = ["name:" + text] };

    private static void AssertSound(string key, int mostSlashes)
    {
        Assert.InRange(Encoding.UTF8.GetByteCount(key), 1, KeyTemplate.MaxKeyBytes);
        Assert.StartsWith("photos/", key, StringComparison.Ordinal);
        Assert.InRange(key.Count(c => c == '/'), 1, mostSlashes);
        Assert.All(key.Split('/'), segment =>
        {
            Assert.NotEmpty(segment.Trim('.', ' '));
            Assert.InRange(Encoding.UTF8.GetByteCount(segment), 1, 255);
        });
        Assert.DoesNotContain(key, c => c == '\\' || char.IsControl(c)
            || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.LineSeparator);
        Assert.DoesNotContain(key.EnumerateRunes(), rune => (rune.Value & 0xFFFE) == 0xFFFE || rune.Value == 0xFDD0);
        Assert.Equal(key, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(key)));
    }
}
