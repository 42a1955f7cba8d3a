using System.Text.Json;
using System.Text.RegularExpressions;
using Apertur.Server;
using Apertur.Tests.Support;

namespace Apertur.Tests.Repository;

/// <summary>The settings: what is documented is what is loaded.</summary>
public sealed partial class ConfigurationTests
{
    [Fact]
    public void Documentation_shows_the_defaults_that_the_program_loads()
    {
        var defaults = RepositoryFiles.Read("src/Apertur.Server/apertur.defaults.json");
        var documented = RepositoryFiles.Read("docs/configuration.md");

        Assert.True(
            documented.Contains($"```jsonc\n{defaults.Trim()}\n```", StringComparison.Ordinal),
            "docs/configuration.md shows other settings than apertur.defaults.json: copy the file into its jsonc block.");
    }

    [Fact]
    public void Settings_of_the_data_folder_and_of_the_environment_override_the_defaults()
    {
        using var data = new TempFolder();
        File.WriteAllText(data.File("apertur.json"), """{ "Limits": { "MaxImagesPerSession": 7, "DefaultImagesPerSession": 5 } }""");

        var settings = Settings.Load(data.Path, [new("Limits:DefaultImagesPerSession", "6")]);

        Assert.Equal(7, settings.Limits.MaxImagesPerSession);
        Assert.Equal(6, settings.Limits.DefaultImagesPerSession);
        Assert.Equal(24, settings.Limits.DefaultSessionHours);
    }

    [Theory]
    [InlineData("Limits:DefaultImagesPerSession", "0")]
    [InlineData("Limits:MaxImageSizeMb", "1")]
    [InlineData("Delivery:RetrySeconds", "5;30")]
    [InlineData("Database:Provider", "PostgreSql")]
    [InlineData("Server:PublicUrl", "photos.example.com")]
    [InlineData("OAuth:Dropbox:ContentUrl", "content.example.com")]
    [InlineData("OAuth:GoogleDrive:TokenUrl", "ftp://example.com/token")]
    [InlineData("Limits:MaxImageSizeMB2", "50")]
    [InlineData("MaxImageSizeMb", "50")]
    public void Setting_that_cannot_be_used_stops_the_start_by_name(string name, string value)
    {
        using var data = new TempFolder();

        var refused = Assert.Throws<InvalidOperationException>(() => Settings.Load(data.Path, [new(name, value)]));

        Assert.Contains(name.Split(':')[0], refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_default_has_a_comment()
    {
        var lines = RepositoryFiles.Read("src/Apertur.Server/apertur.defaults.json").Split('\n');
        for (var i = 1; i < lines.Length; i++)
        {
            if (Setting().IsMatch(lines[i]))
            {
                Assert.True(
                    lines[i - 1].Contains("//", StringComparison.Ordinal) || Setting().IsMatch(lines[i - 1]),
                    $"{lines[i].Trim()} has no comment");
            }
        }

        using var _ = JsonDocument.Parse(string.Join('\n', lines), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
    }

    [GeneratedRegex("""^ {4}"\w+": [^{]""")]
    private static partial Regex Setting();
}
