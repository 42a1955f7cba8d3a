using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

public sealed class DestinationConfigTests
{
    private const string Full = """{"url":"https://a.example","secret":"s","headers":{"A":"1","B":"2"},"key":"{\"k\":1}"}""";

    private static readonly ConfigField[] _fields =
    [
        new("url", "URL", ConfigFieldKind.Url) { Required = true },
        new("mode", "Mode") { Default = "a", Allowed = ["a", "b"] },
        new("secret", "Secret") { Secret = true },
        new("headers", "Headers", ConfigFieldKind.Map)
        {
            Secret = true,
            CheckEntry = (name, _) => name.Contains(':', StringComparison.Ordinal) ? "No colons." : null,
        },
        new("seconds", "Seconds", ConfigFieldKind.Number) { Default = 30, Range = (1, 30) },
        new("deep", "Deep", ConfigFieldKind.Switch),
        new("on", "On", ConfigFieldKind.Switch) { Default = true },
        new("key", "Key file", ConfigFieldKind.Document) { Secret = true },
        new("even", "Even") { Check = text => text.Length % 2 == 0 ? null : "Odd." },
    ];

    [Fact]
    public void Defaults_count_when_a_field_is_absent_null_or_blank()
    {
        var config = Config("""{"url":"https://a.example","mode":null,"secret":"  "}""");
        Assert.Equal("a", config.Text("mode"));
        Assert.Null(config.Text("secret"));
        Assert.Equal(30, config.Number("seconds"));
        Assert.Null(config.Switch("deep"));
        Assert.True(config.Switch("on"));
        Assert.Empty(config.Map("headers"));
    }

    [Fact]
    public void Values_sent_are_read_back()
    {
        var config = Config(
            """
            {"url":"https://a.example/x?y","mode":"b","seconds":1,"deep":false,"on":false,
             "headers":{"A":"1"},"key":{"k":1},"even":"ab"}
            """);
        Assert.Equal("https://a.example/x?y", config.Required("url"));
        Assert.Equal("b", config.Text("mode"));
        Assert.Equal(1, config.Number("seconds"));
        Assert.False(config.Switch("deep"));
        Assert.False(config.Switch("on"));
        Assert.Equal("1", config.Map("headers")["A"]);
        Assert.Equal("""{"k":1}""", config.Text("key"));
    }

    [Fact]
    public void Unknown_members_are_dropped()
    {
        var (values, errors) = Validate("""{"url":"https://a.example","surprise":1}""");
        Assert.Empty(errors);
        Assert.Equal(["url"], values.Select(value => value.Key));
    }

    [Theory]
    [InlineData("{}", "url")]
    [InlineData("""{"url":""}""", "url")]
    [InlineData("""{"url":7}""", "url")]
    [InlineData("""{"url":"/relative"}""", "url")]
    [InlineData("""{"url":"a.example"}""", "url")]
    [InlineData("""{"url":"ftp://a.example"}""", "url")]
    [InlineData("""{"url":"file:///etc/passwd"}""", "url")]
    [InlineData("""{"url":"javascript:alert(1)"}""", "url")]
    [InlineData("""{"url":"http://"}""", "url")]
    [InlineData("""{"url":"https://user:word@a.example"}""", "url")]
    [InlineData("""{"url":"https://a.example:99999"}""", "url")]
    [InlineData("""{"url":"https://a.example","mode":"c"}""", "mode")]
    [InlineData("""{"url":"https://a.example","mode":["a"]}""", "mode")]
    [InlineData("""{"url":"https://a.example","seconds":0}""", "seconds")]
    [InlineData("""{"url":"https://a.example","seconds":31}""", "seconds")]
    [InlineData("""{"url":"https://a.example","seconds":1.5}""", "seconds")]
    [InlineData("""{"url":"https://a.example","seconds":"10"}""", "seconds")]
    [InlineData("""{"url":"https://a.example","seconds":99999999999}""", "seconds")]
    [InlineData("""{"url":"https://a.example","deep":"yes"}""", "deep")]
    [InlineData("""{"url":"https://a.example","headers":["A"]}""", "headers")]
    [InlineData("""{"url":"https://a.example","headers":{"A":1}}""", "headers")]
    [InlineData("""{"url":"https://a.example","headers":{"A:B":"1"}}""", "headers")]
    [InlineData("""{"url":"https://a.example","key":"not json"}""", "key")]
    [InlineData("""{"url":"https://a.example","key":"[1]"}""", "key")]
    [InlineData("""{"url":"https://a.example","even":"abc"}""", "even")]
    public void A_wrong_value_is_reported_by_its_field(string json, string field)
    {
        var (values, errors) = Validate(json);
        Assert.Equal(field, Assert.Single(errors).Field);
        Assert.False(values.ContainsKey(field));
    }

    [Fact]
    public void White_space_that_was_pasted_along_is_taken_off()
    {
        var (values, errors) = Validate("""{"url":" https://a.example\n","secret":"\ts3cret \r\n","mode":" a ","headers":{"A":" 1 "}}""");
        Assert.Empty(errors);
        Assert.Equal("""{"url":"https://a.example","mode":"a","secret":"s3cret","headers":{"A":"1"}}""", values.ToJsonString());
    }

    [Fact]
    public void Size_has_limits()
    {
        var headers = new JsonObject();
        for (var i = 0; i < 51; i++)
            headers[$"X-{i}"] = "1";
        var sent = new JsonObject { ["url"] = "https://a.example", ["secret"] = new string('x', 20_000), ["headers"] = headers };
        Assert.Equal(["secret", "headers"], DestinationConfig.Validate(_fields, sent).Errors.Select(error => error.Field));
    }

    [Fact]
    public void Secrets_read_back_masked_and_the_rest_in_the_clear()
    {
        var stored = Validate(Full).Values;
        Assert.Equal(
            """{"url":"https://a.example","secret":"********","headers":{"A":"********","B":"********"},"key":"********"}""",
            DestinationConfig.Masked(_fields, stored).ToJsonString());
        Assert.Equal("s", (string?)stored["secret"]);
    }

    [Fact]
    public void Sending_the_mask_back_changes_nothing()
    {
        var stored = Validate(Full).Values;
        var (kept, errors) = DestinationConfig.Validate(_fields, DestinationConfig.Masked(_fields, stored), stored);
        Assert.Empty(errors);
        Assert.Equal(stored.ToJsonString(), kept.ToJsonString());
    }

    [Fact]
    public void One_entry_of_a_secret_map_can_be_changed_alone()
    {
        var stored = Validate("""{"url":"https://a.example","headers":{"A":"1","B":"2"}}""").Values;
        var sent = JsonNode.Parse("""{"url":"https://a.example","headers":{"A":"********","C":"3"}}""")!.AsObject();
        var (kept, _) = DestinationConfig.Validate(_fields, sent, stored);
        Assert.Equal("""{"A":"1","C":"3"}""", kept["headers"]!.ToJsonString());
    }

    [Fact]
    public void A_mask_with_nothing_behind_it_is_no_value()
    {
        var sent = JsonNode.Parse("""{"url":"https://a.example","secret":"********","headers":{"A":"********"}}""")!.AsObject();
        var (values, _) = DestinationConfig.Validate(_fields, sent);
        Assert.False(values.ContainsKey("secret"));
        Assert.Equal("{}", values["headers"]!.ToJsonString());
    }

    [Fact]
    public void A_field_that_was_not_declared_cannot_be_read() =>
        Assert.Throws<ArgumentException>(() => Config("""{"url":"https://a.example"}""").Text("typo"));

    private static DestinationConfig Config(string json)
    {
        var (values, errors) = Validate(json);
        Assert.Empty(errors);
        return new DestinationConfig(_fields, values);
    }

    private static (JsonObject Values, IReadOnlyList<(string Field, string Message)> Errors) Validate(string json) =>
        DestinationConfig.Validate(_fields, JsonNode.Parse(json)!.AsObject());
}
