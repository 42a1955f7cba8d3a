using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Metadata;
using Apertur.Server.Projects;
using Apertur.Server.Uploads;

namespace Apertur.Server.Sessions;

/// <summary>What a session takes: the tightest of what is asked for and of what key, project and server allow.</summary>
/// <param name="Strip">What it does not take along.</param>
internal sealed record SessionLimits(int MaxImages, string[] AllowedMimeTypes, int? MaxImageDimension, int MaxImageSizeMb, Strip Strip)
{
    /// <summary>The largest limit on pixels that anybody can mean.</summary>
    public const int MaxDimension = 100_000;

    private static readonly string[] _types = [ImageHeader.Jpeg, ImageHeader.Png, ImageHeader.WebP, ImageHeader.Heic];

    /// <summary>Every type there is.</summary>
    public static IReadOnlyList<string> AllTypes => _types;

    /// <summary>The types a session takes, spelled out.</summary>
    public static IReadOnlyList<string> AllowedTypes(UploadSession session) =>
        session.AllowedMimeTypes.Length > 0 ? session.AllowedMimeTypes : _types;

    /// <summary>
    /// Holds the wishes of a request against their ranges and the limits of key and project; what is wrong is added to <paramref name="errors"/>.
    /// </summary>
    public static SessionLimits Of(SessionRequest request, ApiKey? key, Project project, LimitSettings server, List<FieldError> errors)
    {
        var images = InRange("max_images", request.MaxImages, 1, server.MaxImagesPerSession, errors) ?? server.DefaultImagesPerSession;
        var sizeMb = InRange("max_image_size_mb", request.MaxImageSizeMb, 1, server.MaxImageSizeMb, errors) ?? server.DefaultImageSizeMb;
        return new(
            Smaller(Smaller(images, key?.MaxImages), project.MaxImagesPerSession)!.Value,
            Types(request.AllowedMimeTypes, key, errors),
            Smaller(InRange("max_image_dimension", request.MaxImageDimension, 1, MaxDimension, errors), key?.MaxImageDimension),
            Smaller(sizeMb, project.MaxImageSizeMb)!.Value,
            More(StripOf(request.Strip, errors) ?? Strip.None, project.Strip));
    }

    public static int? InRange(string field, int? value, int min, int max, List<FieldError> errors)
    {
        if (value < min || value > max)
            errors.Add(new FieldError(field, $"{field} must be from {min} to {max}."));
        return value;
    }

    private static string[] Types(IReadOnlyList<string>? asked, ApiKey? key, List<FieldError> errors)
    {
        var wanted = (asked ?? []).Select(type => type == "image/heif" ? ImageHeader.Heic : type).Distinct().ToArray();
        if (wanted.Except(_types).Any())
        {
            errors.Add(new FieldError("allowed_mime_types", $"allowed_mime_types may hold {string.Join(", ", _types)}."));
            return wanted;
        }

        if (key is null || key.AllowedMimeTypes.Length == 0)
            return wanted;
        var both = wanted.Length == 0 ? key.AllowedMimeTypes : [.. wanted.Intersect(key.AllowedMimeTypes)];
        if (both.Length == 0)
            errors.Add(new FieldError("allowed_mime_types", "None of allowed_mime_types is allowed for this API key."));
        return both;
    }

    /// <summary>What a request says; null when it says nothing.</summary>
    public static Strip? StripOf(string? word, List<FieldError> errors)
    {
        var strip = EnumNames.Parse<Strip>(word);
        if (word is not null && strip is null)
            errors.Add(new FieldError("strip", "strip must be none, location or all."));
        return strip;
    }

    private static Strip More(Strip a, Strip b) => a > b ? a : b;

    private static int? Smaller(int? a, int? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);
}
