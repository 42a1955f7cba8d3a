using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Template;

namespace Apertur.Tests.Contract;

/// <summary>
/// Calls the server and holds each answer against an accepted file in <c>Contract/Golden</c>, byte for byte: the file shows the
/// body indented, and the body itself must be exactly that without white space. What differs from run to run stands there by
/// name.
/// </summary>
internal sealed partial class Golden(AperturApp app)
{
    public const string Folder = "tests/Apertur.Tests/Contract/Golden";

    private static readonly JsonSerializerOptions _compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions _layout = new(_compact) { WriteIndented = true, NewLine = "\n" };
    private static readonly IReadOnlyList<RouteEndpoint> _routes = OpenApiDocument.Routes();

    private readonly List<(string Value, string Name)> _names = [(app.Url, "server"), (app.ProjectId.ToString(), "project")];

    /// <summary>Every accepted answer: its file's name without ending, and its content.</summary>
    public static IEnumerable<(string Name, JsonNode Content)> All =>
        Directory.GetFiles(Path.Combine(RepositoryFiles.Root, Folder), "*.json").Order(StringComparer.Ordinal)
            .Select(path => (Path.GetFileNameWithoutExtension(path), JsonNode.Parse(File.ReadAllText(path))!));

    /// <summary>Gives a value that differs from run to run the name under which it stands in the files.</summary>
    public string Name(string name, string value)
    {
        _names.Add((value, name));
        return value;
    }

    /// <summary>Makes a call with the owner's live key, or as <paramref name="client"/>, and pins the answer.</summary>
    /// <param name="name">Of the file, without ending.</param>
    public async Task<Answer> PinAsync(
        string name, string method, string path, object? body = null, AperturClient? client = null, params (string Name, string Value)[] headers)
    {
        var answer = await (client ?? app.Client).SendAsync(new HttpMethod(method), path, body, headers);
        Pin(name, method, path, answer);
        return answer;
    }

    /// <summary>Pins an answer to a call that was made elsewhere.</summary>
    public void Pin(string name, string method, string path, Answer answer)
    {
        var pinned = new JsonObject { ["request"] = $"{method} {RouteOf(method, path)}", ["status"] = (int)answer.Status };
        AddHeaders(pinned, answer);
        if (answer.Bytes.Length > 0 && answer.ContentHeaders.ContentType?.MediaType == "application/json")
        {
            Assert.Equal(answer.Json.ToJsonString(_compact), answer.Text);
            pinned["body"] = JsonNode.Parse(Hide(answer.Text));
        }
        else if (answer.Bytes.Length > 0)
        {
            pinned["body"] = "(a file)";
        }

        Accepting.Compare(Path.Combine(RepositoryFiles.Root, Folder, name + ".json"), pinned.ToJsonString(_layout) + "\n", "The answer");
    }

    // Those that tell how far things are in this run, or how the bytes went.
    private static bool Differs(string header) => header is "Date" or "Content-Length" or "Transfer-Encoding" or "Upload-Expires"
        || header.StartsWith("X-RateLimit-", StringComparison.Ordinal);

    private void AddHeaders(JsonObject pinned, Answer answer)
    {
        var headers = answer.ContentHeaders.Concat(answer.Headers).Where(header => !Differs(header.Key));
        foreach (var header in headers.OrderBy(header => header.Key, StringComparer.Ordinal))
            pinned[header.Key] = Hide(string.Join(", ", header.Value));
    }

    private string Hide(string text)
    {
        foreach (var (value, name) in _names)
            text = text.Replace(value, $"{{{name}}}", StringComparison.Ordinal);
        text = Pem().Replace(text, "{public key}");
        text = Instant().Replace(text, "{instant}");
        text = Hex().Replace(text, "{64 hex digits}");
        text = Secret().Replace(text, "{secret}");
        // Numbered in each answer by itself, so that a call more does not change other files.
        var ids = new List<string>();
        return Id().Replace(text, match =>
        {
            if (!ids.Contains(match.Value))
                ids.Add(match.Value);
            return $"{{id {ids.IndexOf(match.Value) + 1}}}";
        });
    }

    private static string RouteOf(string method, string path)
    {
        path = (path.StartsWith('/') ? path : "/api/v1/" + path).Split('?')[0];
        return _routes.Where(route => OpenApiDocument.MethodOf(route) == method).Select(OpenApiDocument.PathOf)
            // Words win over parameters, as in the server.
            .OrderBy(template => template.Count(c => c == '{'))
            .FirstOrDefault(template => new TemplateMatcher(TemplateParser.Parse(template), []).TryMatch(path, [])) ?? "(no route)";
    }

    // An id or an instant that nobody set stays in sight.
    [GeneratedRegex(@"(?!0{8}-)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")]
    private static partial Regex Id();

    [GeneratedRegex(@"(?!0001-)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")]
    private static partial Regex Instant();

    [GeneratedRegex(@"\b[0-9a-f]{64}\b")]
    private static partial Regex Hex();

    [GeneratedRegex(@"-----BEGIN PUBLIC KEY-----[^""]*-----END PUBLIC KEY-----\\n")]
    private static partial Regex Pem();

    /// <summary>API keys, tokens (JWT), refresh tokens, base32 secrets, and what makes an address secret.</summary>
    [GeneratedRegex(
        @"aptr_(?:live|test)_[A-Za-z0-9]{6,}|eyJ[\w-]+\.[\w-]+\.[\w-]+|\b[A-Z2-7]{32,}\b"
        + @"|(?<=/s/)[A-Za-z0-9]{8}|(?<=(?:signature|state|code_challenge)=|/link/|""refreshToken"":""|""ticket"":""|""widget_token"":""|""widgetToken"":"")[\w-]+")]
    private static partial Regex Secret();
}
