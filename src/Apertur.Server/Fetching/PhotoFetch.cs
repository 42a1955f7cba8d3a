using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Apertur.Destinations;
using Apertur.Server.Http;
using Apertur.Server.Sessions;

namespace Apertur.Server.Fetching;

/// <summary>
/// Fetches photos from addresses that strangers give, guarded against server-side request forgery: every hop goes through
/// <see cref="OutboundHttp"/>, and what cannot be reached is told apart from what may not be by nobody.
/// </summary>
internal sealed class PhotoFetch([FromKeyedServices(nameof(PhotoFetch))] OutboundHttp http, Settings settings, TimeProvider clock)
{
    private const int MostRedirects = 5;
    private const int MaxAddressLength = 4096;

    // Where the operator has opened private networks, which have no certificates, as for destinations.
    private readonly string[] _schemes = http.AllowPrivateNetworks ? [Uri.UriSchemeHttps, Uri.UriSchemeHttp] : [Uri.UriSchemeHttps];

    /// <summary>Whether photos can be fetched by an address that whoever sends them gives.</summary>
    public bool TakesAddresses => settings.Sources.Url;

    /// <summary>An address as it was given.</summary>
    /// <exception cref="ApiErrorException">400: nothing is fetched from there.</exception>
    public Uri Read(string? url)
    {
        if (string.IsNullOrWhiteSpace(url))
            throw ApiErrors.Validation("url", "url is missing: the address of the photo.").ToException();
        return url.Length <= MaxAddressLength && Uri.TryCreate(url.Trim(), UriKind.Absolute, out var address) && IsTaken(address)
            ? address
            : throw ApiErrors.Validation(
                "url", $"url must be an absolute {string.Join(" or ", _schemes)} address of at most {MaxAddressLength} characters, without a user name.").ToException();
    }

    /// <summary>Refuses sources that the server does not fetch from.</summary>
    /// <exception cref="ApiErrorException">403.</exception>
    public void RequireOffered(string source)
    {
        if (source != "url" || !TakesAddresses)
            throw ApiErrors.SourceNotOffered($"This server does not fetch photos from the source '{source}'. Send the photo itself.").ToException();
    }

    /// <summary>Asks for the photo, through redirects, until its first byte is about to come.</summary>
    /// <exception cref="ApiErrorException">413, 422: there is none to be had.</exception>
    public async Task<FetchedPhoto> OpenAsync(Uri address, UploadSession session, CancellationToken cancellationToken)
    {
        var photo = new FetchedPhoto(settings.Limits.MinUploadBytesPerSecond, clock, cancellationToken);
        try
        {
            var response = await photo.GuardAsync(token => FollowAsync(address, session, token));
            await photo.TakeAsync(response);
            if (!response.IsSuccessStatusCode)
                throw ApiErrors.SourceRefused((int)response.StatusCode).ToException();
            if (response.Content.Headers.ContentLength > session.MaxImageSizeMb * 1024L * 1024)
                throw ApiErrors.ImageTooLarge(session.MaxImageSizeMb).ToException();
            return photo;
        }
        catch
        {
            photo.Dispose();
            throw;
        }
    }

    private async ValueTask<HttpResponseMessage> FollowAsync(Uri address, UploadSession session, CancellationToken cancellationToken)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.Add("User-Agent", "Apertur-Fetch/1.0");
            request.Headers.Add("Accept", string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", SessionLimits.AllowedTypes(session))}, */*;q=0.1"));
            request.Headers.Add("Accept-Encoding", "identity");
            var response = await http.SendAsync(request, cancellationToken);
            if (!LeadsOn(response, out var location))
                return response;
            response.Dispose();
            if (redirects == MostRedirects || !Uri.TryCreate(address, location, out var next) || !IsTaken(next))
                throw ApiErrors.SourceUnreachable.ToException();
            address = next;
        }
    }

    private bool IsTaken(Uri address) => _schemes.Contains(address.Scheme) && address.UserInfo.Length == 0 && address.Host.Length > 0 && HasName(address);

    /// <summary>Whether a name in other letters has the form that is looked up: one may be too long for it.</summary>
    private static bool HasName(Uri address)
    {
        try
        {
            return address.IdnHost.Length > 0;
        }
        catch (UriFormatException)
        {
            return false;
        }
    }

    private static bool LeadsOn(HttpResponseMessage response, [NotNullWhen(true)] out Uri? location)
    {
        location = response.StatusCode is HttpStatusCode.Moved or HttpStatusCode.Found or HttpStatusCode.SeeOther
            or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect ? response.Headers.Location : null;
        return location is not null;
    }
}
