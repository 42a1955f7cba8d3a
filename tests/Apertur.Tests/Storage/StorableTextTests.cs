using Apertur.Server.Storage;

namespace Apertur.Tests.Storage;

/// <summary>Text of strangers, as both databases take it.</summary>
public sealed class StorableTextTests
{
    [Theory]
    [InlineData(null, 3, null)]
    [InlineData("abc", 3, "abc")]
    [InlineData("abcd", 3, "abc")]
    [InlineData("a\0b\0cd", 3, "abc")]
    [InlineData("ab😀", 4, "ab😀")]
    [InlineData("ab😀", 3, "ab")]
    public void Text_has_no_NUL_and_no_half_of_a_pair(string? text, int length, string? stored) => Assert.Equal(stored, StorableText.Of(text, length));
}
