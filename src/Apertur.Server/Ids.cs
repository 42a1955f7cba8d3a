using Apertur.Server.Http;

namespace Apertur.Server;

/// <summary>Ids as they stand in paths and bodies.</summary>
internal static class Ids
{
    /// <summary>Reads an id from a path. What is not an id names nothing, so it answers like an unknown one.</summary>
    /// <exception cref="ApiErrorException">404.</exception>
    public static Guid Parse(string text) =>
        TryParse(text, out var id) ? id : throw ApiErrors.NotFound.ToException();

    public static bool TryParse(string? text, out Guid id) => Guid.TryParseExact(text, "D", out id);
}
