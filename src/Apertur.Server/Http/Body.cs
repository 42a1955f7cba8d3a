using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;

namespace Apertur.Server.Http;

/// <summary>
/// A JSON request body. Client libraries send "nothing" in many shapes (no body, no content type, an empty form, <c>{}</c>, <c>[]</c>): all of
/// them give a request without fields.
/// </summary>
internal sealed class Body<T>(T value, JsonObject unknown, bool isStrict) : IEndpointParameterMetadataProvider
    where T : class, new()
{
    private const string StrictHeader = "Apertur-Strict";
    private const int MaxWarnings = 20;

    public T Value { get; } = value;

    /// <summary>What was sent and is no field of the request.</summary>
    public JsonObject Unknown { get; } = unknown;

    /// <inheritdoc cref="Warnings(JsonObject, IEnumerable{string?})"/>
    public IReadOnlyList<string>? Warnings(params IEnumerable<string?> more) => Warnings(Unknown, more);

    /// <summary>What the caller should know although the request is taken: unknown fields, and <paramref name="more"/>.</summary>
    /// <returns>Null when there is nothing to say.</returns>
    /// <exception cref="ApiErrorException">400: there is, and the request has <c>Apertur-Strict: true</c>. To be called before anything is written.</exception>
    public IReadOnlyList<string>? Warnings(JsonObject unknown, IEnumerable<string?> more)
    {
        List<string> warnings = [.. unknown.Select(field => FieldNames.Of(typeof(T)).Warning(field.Key)).Concat(more.OfType<string>()).Take(MaxWarnings)];
        return warnings.Count == 0 ? null
            : isStrict ? throw ApiErrors.BadRequest(string.Join(' ', warnings)).ToException()
            : warnings;
    }

    /// <exception cref="ApiErrorException">The body is not JSON, too large, or a field has a value of the wrong kind; the message names it.</exception>
    public static async ValueTask<Body<T>> BindAsync(HttpContext context)
    {
        ReadOnlySpan<byte> bytes = await RawBody.ReadAsync(context);
        // Windows writes it in front of files that curl then sends.
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        var isStrict = context.Request.Headers[StrictHeader] == "true";
        if (IsNothing(bytes))
            return new(new T(), [], isStrict);
        // PostgreSQL stores no such character, and nobody means it.
        if (HoldsNul(bytes))
            throw ApiErrors.BadRequest("The body of this request holds a NUL character (\\u0000), which no text may have.").ToException();

        try
        {
            var (fields, unknown) = JsonNode.Parse(bytes) switch
            {
                JsonObject sent => FieldNames.Of(typeof(T)).Sort(sent),
                null => ([], []),
                _ => throw new JsonException(),
            };
            return new((T)fields.Deserialize(WireJson.Wire.GetTypeInfo(typeof(T))!)!, unknown, isStrict);
        }
        catch (ArgumentException)
        {
            // How a JsonObject says it.
            throw ApiErrors.BadRequest("The body of this request has two values for one name.").ToException();
        }
        catch (InvalidOperationException)
        {
            throw ApiErrors.BadRequest("The body of this request has a text that is not valid Unicode.").ToException();
        }
        catch (JsonException exception)
        {
            // The content type is not asked for before: curl's -d calls everything a form.
            throw (context.Request.HasFormContentType ? ApiErrors.UnsupportedBody("JSON") : Explain(exception)).ToException();
        }
    }

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) => builder.Metadata.Add(new BodyOf(typeof(T)));

    private static bool IsNothing(ReadOnlySpan<byte> bytes)
    {
        var text = bytes.Trim(" \t\r\n"u8);
        return text.IsEmpty || (text[0] == '[' && text[^1] == ']' && text[1..^1].Trim(" \t\r\n"u8).IsEmpty);
    }

    /// <summary>Whether the escape is there; a backslash that is escaped itself begins none.</summary>
    private static bool HoldsNul(ReadOnlySpan<byte> json)
    {
        var escape = "\\u0000"u8;
        for (int at; (at = json.IndexOf(escape)) >= 0; json = json[(at + escape.Length)..])
        {
            if ((at - json[..at].TrimEnd((byte)'\\').Length) % 2 == 0)
                return true;
        }

        return false;
    }

    private static ApiError Explain(JsonException exception)
    {
        var field = exception.Path?.TrimStart('$').TrimStart('.') ?? "";
        if (field.Length == 0)
            return ApiErrors.BadRequest("The body of this request is not a JSON object that can be read.");

        // Our own converters say what they expect; the framework's words name .NET types.
        var expected = exception.Message.StartsWith("must ", StringComparison.Ordinal)
            ? exception.Message.Split(" Path:")[0].TrimEnd('.')
            : "has a value of the wrong kind";
        return ApiErrors.Validation(field, $"{field} {expected}.");
    }
}

/// <summary>
/// What a route reads its body as, for the API document. The framework's own metadata would also make it refuse every content type but one.
/// </summary>
internal sealed record BodyOf(Type Type);
