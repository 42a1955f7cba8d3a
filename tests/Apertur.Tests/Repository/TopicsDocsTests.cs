using System.Text.RegularExpressions;
using Apertur.Server.Events;

namespace Apertur.Tests.Repository;

/// <summary>docs/events.md has every topic, and no other.</summary>
public sealed partial class TopicsDocsTests
{
    [Fact]
    public void Table_of_topics_in_the_docs_is_the_list_in_the_code() =>
        Assert.Equal(
            Topics.All.Order(StringComparer.Ordinal),
            Row().Matches(RepositoryFiles.Read("docs/events.md")).Select(row => row.Groups[1].Value).Order(StringComparer.Ordinal));

    /// <summary>A topic is the first cell of its row.</summary>
    [GeneratedRegex(@"^\| `(project\.[a-z_.]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
