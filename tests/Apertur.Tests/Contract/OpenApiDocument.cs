using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Server;
using Apertur.Server.Auth;
using Apertur.Server.Http;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Routing;

namespace Apertur.Tests.Contract;

/// <summary>
/// Derives the OpenAPI document from the route table: addresses, access, bodies and answers from the code itself, words from its
/// doc comments, and what neither says from <see cref="OpenApiNotes"/>.
/// </summary>
internal sealed partial class OpenApiDocument
{
    private static readonly JsonSerializerOptions _layout = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // Addresses that only older clients use are told in the description of the one that they stand for.
    private static ILookup<string, string> _aliases = Array.Empty<string>().ToLookup(path => path);

    private readonly XmlDocs _docs = new();
    private readonly OpenApiSchemas _schemas;

    private OpenApiDocument() => _schemas = new OpenApiSchemas(_docs);

    /// <summary>The routes that programs call: the API, and what supervisors ask. Pages are for people.</summary>
    public static IReadOnlyList<RouteEndpoint> Routes()
    {
        using var folder = new TempFolder();
        using var app = (IDisposable)AperturServer.Build(Settings.Load(folder.Path), []);
        _aliases = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(route => route.Metadata.GetMetadata<AliasOf>() is not null)
            .ToLookup(route => $"{MethodOf(route)} {route.Metadata.GetMetadata<AliasOf>()!.Path}", PathOf);
        return
        [
            .. ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
                .Where(route => route.Metadata.GetMetadata<AliasOf>() is null && PathOf(route) is var path
                    && (path.StartsWith("/api/", StringComparison.Ordinal) || path is "/healthz" or "/readyz"))
                .OrderBy(PathOf, StringComparer.Ordinal).ThenBy(MethodOf, StringComparer.Ordinal),
        ];
    }

    /// <summary>The document as it is checked in.</summary>
    public static string Text() => new OpenApiDocument().Build(Routes()).ToJsonString(_layout) + "\n";

    public static string PathOf(RouteEndpoint route) => "/" + route.RoutePattern.RawText!.Trim('/');

    public static string MethodOf(RouteEndpoint route) => route.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Single(method => method != "HEAD");

    public static string HandlerOf(RouteEndpoint route)
    {
        var method = route.Metadata.GetMetadata<MethodInfo>()!;
        return $"{method.DeclaringType!.Name}.{method.Name}";
    }

    private JsonObject Build(IReadOnlyList<RouteEndpoint> routes)
    {
        var error = _schemas.Of(typeof(ApiError));
        var paths = new JsonObject();
        foreach (var group in routes.GroupBy(PathOf))
            paths[group.Key] = new JsonObject(group.Select(route => KeyValuePair.Create(Verb(route), (JsonNode?)Operation(route))));
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "Apertur",
                ["version"] = "1",
                ["description"] = OpenApiNotes.Introduction,
                // The word of npm's package.json for what comes without a licence.
                ["license"] = new JsonObject { ["name"] = "UNLICENSED", ["identifier"] = "LicenseRef-UNLICENSED" },
            },
            ["servers"] = new JsonArray(new JsonObject { ["url"] = "/" }),
            ["tags"] = Tags(routes),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = _schemas.Named,
                ["responses"] = new JsonObject
                {
                    ["Error"] = new JsonObject
                    {
                        ["description"] = "A refusal. `message` says what to do about it.",
                        ["content"] = Content("application/json", error, OpenApiExamples.Refusal()),
                    },
                },
                ["securitySchemes"] = OpenApiNotes.SecuritySchemes(),
            },
        };
    }

    private JsonArray Tags(IEnumerable<RouteEndpoint> routes) =>
        [.. routes.Select(route => route.Metadata.GetMetadata<MethodInfo>()!.DeclaringType!).Distinct()
            .GroupBy(TagOf).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => new JsonObject { ["name"] = group.Key, ["description"] = _docs.Of(group.First()) ?? group.Key })];

    private JsonObject Operation(RouteEndpoint route)
    {
        var handler = route.Metadata.GetMetadata<MethodInfo>()!;
        var note = OpenApiNotes.Of(HandlerOf(route));
        var (summary, description) = Split(_docs.Of(handler) ?? "");
        var tag = TagOf(handler.DeclaringType!);
        var operation = new JsonObject
        {
            ["tags"] = new JsonArray(tag),
            ["operationId"] = char.ToLowerInvariant(handler.DeclaringType!.Name[0]) + WithoutApi(handler.DeclaringType)[1..] + handler.Name,
            ["summary"] = summary,
        };
        foreach (var alias in _aliases[$"{MethodOf(route)} {PathOf(route)}"])
            description = $"{description} Older clients say `{MethodOf(route)} {alias}`.".Trim();
        if (description.Length > 0)
            operation["description"] = description;
        var parameters = new JsonArray([
            .. route.RoutePattern.Parameters.Select(parameter => OpenApiParts.Path(parameter.Name)),
            .. note.Parameters.Select(parameter => parameter!.DeepClone())]);
        if (parameters.Count > 0)
            operation["parameters"] = parameters;
        if (note.Body is not null)
            operation["requestBody"] = note.Body.DeepClone();
        else if (route.Metadata.GetMetadata<BodyOf>() is { } body)
        {
            var example = OpenApiExamples.Request(HandlerOf(route));
            operation["requestBody"] = new JsonObject { ["content"] = Content("application/json", _schemas.Of(body.Type), example) };
        }

        operation["responses"] = Responses(route, handler, note);
        operation["security"] = OpenApiNotes.Security(AccessOf(route));
        return operation;
    }

    private JsonObject Responses(RouteEndpoint route, MethodInfo handler, OpenApiNotes note)
    {
        var responses = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var type in AnswersOf(handler.ReturnType))
        {
            var (status, words) = type.Name.Split('`')[0] switch
            {
                "Ok" => ("200", "Done."),
                "Created" => ("201", "Made."),
                "Accepted" => ("202", "Begun."),
                "NoContent" => ("204", "Done; there is no body."),
                _ => ("", ""),
            };
            if (status.Length == 0)
                continue;
            var response = new JsonObject { ["description"] = words };
            if (type.IsGenericType)
            {
                var example = OpenApiExamples.Answer($"{MethodOf(route)} {PathOf(route)}", status);
                response["content"] = Content("application/json", _schemas.Of(type.GetGenericArguments()[0]), example);
            }

            responses[status] = response;
        }

        if (note.Answer is not null)
            responses[note.Status] = note.Answer.DeepClone();
        var path = PathOf(route);
        IEnumerable<int> errors =
        [
            .. route.Metadata.GetMetadata<BodyOf>() is not null || note.Parameters.Count > 0 ? new[] { 400 } : [],
            .. AccessOf(route) is "Caller" or "Person" or "Operator" ? new[] { 401, 403 } : [],
            .. route.RoutePattern.Parameters.Count > 0 ? new[] { 404 } : [],
            .. path.StartsWith("/api/", StringComparison.Ordinal) ? new[] { 429 } : [],
            .. note.Errors,
        ];
        foreach (var status in errors)
            responses[status.ToString(System.Globalization.CultureInfo.InvariantCulture)] = Error();
        responses["default"] = Error();
        return new JsonObject(responses);

        static JsonObject Error() => new() { ["$ref"] = "#/components/responses/Error" };
    }

    private static JsonObject Content(string type, JsonNode schema, JsonNode? example)
    {
        var content = new JsonObject { ["schema"] = schema.DeepClone() };
        if (example is not null)
            content["example"] = example;
        return new() { [type] = content };
    }

    /// <summary>The kinds of answer in a handler's return type.</summary>
    private static IEnumerable<Type> AnswersOf(Type type) =>
        !type.IsGenericType ? [type]
        : type.Name.StartsWith("Task`", StringComparison.Ordinal) || type.Name.StartsWith("ValueTask`", StringComparison.Ordinal)
            || type.Name.StartsWith("Results`", StringComparison.Ordinal) ? type.GetGenericArguments().SelectMany(AnswersOf)
        : [type];

    private static string AccessOf(RouteEndpoint route) => route.Metadata.GetMetadata<AccessRule>()!.Access.ToString();

    private static string Verb(RouteEndpoint route) => MethodOf(route).ToLowerInvariant();

    private static string WithoutApi(Type type) => type.Name.EndsWith("Api", StringComparison.Ordinal) ? type.Name[..^"Api".Length] : type.Name;

    private static string TagOf(Type type)
    {
        var words = Capital().Replace(WithoutApi(type), " $1").Trim().ToLowerInvariant();
        return char.ToUpperInvariant(words[0]) + words[1..];
    }

    private static (string Summary, string Description) Split(string text)
    {
        var end = text.IndexOf(". ", StringComparison.Ordinal);
        return end < 0 ? (text.TrimEnd('.'), "") : (text[..end], text[(end + 2)..]);
    }

    [GeneratedRegex("(?<=[a-z])([A-Z])")]
    private static partial Regex Capital();
}
