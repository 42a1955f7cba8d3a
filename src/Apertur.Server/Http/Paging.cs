using System.Globalization;

namespace Apertur.Server.Http;

/// <summary>The numbers in a query string that choose a part of a list. Bad values are refused by name, not corrected in silence.</summary>
internal static class Paging
{
    /// <summary>Which page, from 1, and how many rows it has.</summary>
    /// <exception cref="ApiErrorException">A value is not a whole number, or out of its range.</exception>
    public static (int Page, int PageSize) Page(HttpRequest request, string sizeName = "pageSize") =>
        (Number(request, "page", 1, 1, int.MaxValue), Number(request, sizeName, 20, 1, 100));

    /// <summary>How many of the newest rows.</summary>
    /// <exception cref="ApiErrorException">The value is not a whole number, or out of its range.</exception>
    public static int Recent(HttpRequest request) => Number(request, "limit", 10, 1, 50);

    public static int Number(HttpRequest request, string name, int byDefault, int min, int max)
    {
        var text = request.Query[name].ToString();
        if (text.Length == 0)
            return byDefault;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;

        var range = max == int.MaxValue ? $"of at least {min}" : $"from {min} to {max}";
        throw ApiErrors.Validation(name, $"{name} must be a whole number {range}.").ToException();
    }
}
