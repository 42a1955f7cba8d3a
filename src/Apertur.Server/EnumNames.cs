using System.Collections.Frozen;

namespace Apertur.Server;

/// <summary>The words that the wire and the database use for the values of an enum: their names in lower case.</summary>
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
            Enum.GetValues<TEnum>().ToFrozenDictionary(value => value, value => value.ToString().ToLowerInvariant());

        public static readonly FrozenDictionary<string, TEnum> Values = Words.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);
    }
}
