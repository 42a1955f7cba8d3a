using Apertur.Server.Uploads;

namespace Apertur.Tests.Uploads;

/// <summary>What is left of a name that a stranger gave.</summary>
public sealed class FilenamesTests
{
    [Theory]
    [InlineData("a.jpg", "a.jpg")]
    [InlineData("a.JPG", "a.JPG")]
    [InlineData("a.jpeg", "a.jpeg")]
    [InlineData("a.jpe", "a.jpe")]
    [InlineData("a.jfif", "a.jfif")]
    [InlineData("a .jpg", "a.jpg")]
    [InlineData("x.jpg.php", "x.jpg")]
    [InlineData("x .jpg.php", "x.jpg")]
    [InlineData("x.php", "x.jpg")]
    [InlineData("picture.png", "picture.jpg")]
    [InlineData("picture.webp", "picture.jpg")]
    [InlineData("12.30.45", "12.30.45.jpg")]
    [InlineData("Photo No. 5", "Photo No. 5.jpg")]
    [InlineData("version.1_a", "version.1_a.jpg")]
    [InlineData("holiday.originals", "holiday.originals.jpg")]
    [InlineData("", "photo.jpg")]
    [InlineData(null, "photo.jpg")]
    [InlineData("C:\\photos\\a.jpg", "a.jpg")]
    [InlineData("../../a.jpg.", "a.jpg")]
    [InlineData("a\u202Egpj.php", "agpj.jpg")]
    [InlineData("a\u0007\u007F\u2028\u2029\uE000\uD800\uFFFDb.jpg", "ab.jpg")]
    [InlineData("می\u200Cخواهم.jpg", "می\u200Cخواهم.jpg")]
    [InlineData("👩\u200D👧.jpg", "👩\u200D👧.jpg")]
    [InlineData(" a.jpg ", "a.jpg")]
    [InlineData("a..jpg", "a.jpg")]
    [InlineData("x..jpg.php", "x.jpg")]
    public void Name_is_safe_and_its_ending_agrees_with_the_bytes(string? sent, string kept) =>
        Assert.Equal(kept, Filenames.Sanitise(sent, "image/jpeg"));

    [Theory]
    [InlineData("a")]
    [InlineData("👩")]
    public void Longer_name_is_cut_to_200_characters_and_keeps_its_ending(string letter)
    {
        var sent = string.Concat(Enumerable.Repeat(letter, 200));

        foreach (var (name, ending) in new[] { (Filenames.Sanitise(sent + ".jpeg", "image/jpeg"), ".jpeg"), (Filenames.Sealed(sent), ".enc.json") })
        {
            Assert.EndsWith(letter + ending, name, StringComparison.Ordinal);
            Assert.InRange(name.Length, 200 - (letter.Length - 1), 200);
        }
    }

    [Theory]
    [InlineData("image/png", "a.jpg", "a.png")]
    [InlineData("image/png", "a.PNG", "a.PNG")]
    [InlineData("image/webp", "a.WEBP", "a.WEBP")]
    [InlineData("image/heic", "a.hif", "a.hif")]
    [InlineData("image/heic", "IMG_1.HEIC", "IMG_1.HEIC")]
    [InlineData("image/heic", "IMG_1.heif", "IMG_1.heif")]
    [InlineData("image/heic", "burst.heics", "burst.heics")]
    [InlineData("image/heic", "burst.HEIFS", "burst.HEIFS")]
    [InlineData("image/jpeg", "burst.heics", "burst.heics.jpg")]
    [InlineData("image/webp", "a", "a.webp")]
    public void Each_type_has_its_endings(string type, string sent, string kept) => Assert.Equal(kept, Filenames.Sanitise(sent, type));

    [Theory]
    [InlineData("a.jpg", "a.jpg.enc.json")]
    [InlineData("../..", "photo.enc.json")]
    [InlineData("", "photo.enc.json")]
    [InlineData(null, "photo.enc.json")]
    public void Photo_that_stays_encrypted_has_a_name_even_when_none_was_sent(string? sent, string kept) =>
        Assert.Equal(kept, Filenames.Sealed(sent));

    [Theory]
    [InlineData("=?UTF-8?B?w6l0w6kuanBn?=", "été.jpg")]
    [InlineData("=?utf-8?Q?=C3=A9t=C3=A9_2.jpg?=", "été 2.jpg")]
    [InlineData("=?ISO-8859-1?Q?=E9t=E9.jpg?=", "été.jpg")]
    [InlineData("=?UTF-8?B?w6k=?= =?UTF-8?b?dMOpLmpwZw==?=", "été.jpg")]
    [InlineData("=?us-ascii?Q?a_b.jpg?=", "a b.jpg")]
    [InlineData("=?UTF-8?B?not base64!?=", "=?UTF-8?B?not base64!?=")]
    [InlineData("=?UTF-8?B?not-base64!?=", "=?UTF-8?B?not-base64!?=")]
    [InlineData("=?UTF-8?Q?=C3=A?=", "=?UTF-8?Q?=C3=A?=")]
    [InlineData("=?KOI8-R?B?w6k=?=", "=?KOI8-R?B?w6k=?=")]
    [InlineData("why=?.jpg", "why=?.jpg")]
    public void Encoded_words_of_mail_are_decoded(string sent, string name) => Assert.Equal(name, EncodedWords.Decode(sent));
}
