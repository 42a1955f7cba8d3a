using System.Collections.Frozen;
using System.Text.Json;

namespace Apertur.Server;

/// <summary>Names of enum values on the wire and in the database: snake_case.</summary>
internal static class EnumNames
{
    public static string WireName<TEnum>(this TEnum value)
        where TEnum : struct, Enum => Table<TEnum>.Words[value];

    /// <summary>The value of a word; null when there is none, or the word is written in another way.</summary>
    public static TEnum? Parse<TEnum>(string? word)
        where TEnum : struct, Enum => word is not null && Table<TEnum>.Values.TryGetValue(word, out var value) ? value : null;

    private static class Table<TEnum>
        where TEnum : struct, Enum
    {
        public static readonly FrozenDictionary<TEnum, string> Words =
            Enum.GetValues<TEnum>().ToFrozenDictionary(value => value, value => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString()));

        public static readonly FrozenDictionary<string, TEnum> Values = Words.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);
    }
}
