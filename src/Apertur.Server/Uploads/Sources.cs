using Apertur.Server.Http;

namespace Apertur.Server.Uploads;

/// <summary>Where a photo came from, as clients say it.</summary>
internal static class Sources
{
    public const string Default = "camera";

    private static readonly string[] _known =
        ["camera", "gallery", "url", "google_drive", "google_photos", "dropbox", "onedrive", "box", "instagram"];

    /// <exception cref="ApiErrorException">Not one of the known words.</exception>
    public static string Check(string? source)
    {
        if (string.IsNullOrEmpty(source))
            return Default;
        return _known.Contains(source)
            ? source
            : throw ApiErrors.Validation("source", $"source must be one of: {string.Join(", ", _known)}.").ToException();
    }

    /// <summary>The same for what stands beside an envelope, where client libraries say <c>sdk</c>.</summary>
    /// <exception cref="ApiErrorException">Not one of the known words.</exception>
    public static string CheckInEnvelope(string? source) => source == "sdk" ? Default : Check(source);
}
