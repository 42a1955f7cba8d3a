using System.Text.Json;
using System.Text.Json.Serialization;

namespace Apertur.Server.Http;

/// <summary>A field of a request for which absent and <c>null</c> mean different things: absent keeps, null removes.</summary>
[JsonConverter(typeof(OptionalJson))]
internal readonly record struct Optional<T>(T? Value)
{
    /// <summary>False when the request did not name the field.</summary>
    public bool IsPresent { get; } = true;
}

/// <summary>Reads what is there; what is not there leaves the default, which is absent.</summary>
internal sealed class OptionalJson : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) =>
        typeToConvert.IsGenericType && typeToConvert.GetGenericTypeDefinition() == typeof(Optional<>);

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(Converter<>).MakeGenericType(typeToConvert.GetGenericArguments()))!;

    private sealed class Converter<T> : JsonConverter<Optional<T>>
    {
        public override bool HandleNull => true;

        // The value's own converter, not the serializer: its errors would lose the name of the field.
        public override Optional<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new(reader.TokenType == JsonTokenType.Null
                ? default
                : ((JsonConverter<T>)options.GetConverter(typeof(T))).Read(ref reader, typeof(T), options));

        public override void Write(Utf8JsonWriter writer, Optional<T> value, JsonSerializerOptions options) =>
            throw new NotSupportedException("Only requests have optional fields.");
    }
}
