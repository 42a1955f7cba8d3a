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
internal sealed class PhotoFetch(
    [FromKeyedServices(nameof(PhotoFetch))] OutboundHttp http, CloudSources clouds, Settings settings, TimeProvider clock)
{
    private const int MostRedirects = 5;
    private const int MaxAddressLength = 4096;
    private const int MaxTokenLength = 8192;

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

    /// <summary>Whether that address may be in a network without certificates.</summary>
    public bool TakesHttp => _schemes.Contains(Uri.UriSchemeHttp);

    /// <summary>What is to be fetched.</summary>
    /// <param name="source">Where it is said to come from.</param>
    /// <param name="address">Where it is.</param>
    /// <param name="token">The access token to show there; null for none.</param>
    /// <exception cref="ApiErrorException">403: the server does not fetch from that source. 400: the source has no such photo.</exception>
    public FetchedFrom Find(string source, Uri address, string? token)
    {
        var cloud = clouds.Find(source);
        if (cloud is null && (source != "url" || !TakesAddresses))
            throw ApiErrors.SourceNotOffered($"This server does not fetch photos from the source '{source}'. Send the photo itself.").ToException();
        if (cloud?.Holds(address) == false)
            throw ApiErrors.Validation("url", $"url must be an address at which {cloud.Title} gives photos out.").ToException();
        if (cloud is { NeedsToken: true } != token is not null)
        {
            throw ApiErrors.Validation(
                "access_token", $"access_token {(token is null ? "is missing: the one that the picker of this source gave" : "is not taken for this source")}.").ToException();
        }

        return token is null || (token.Length is > 0 and <= MaxTokenLength && token.All(character => character is > ' ' and <= '~'))
            ? new(address, cloud, token)
            : throw ApiErrors.Validation("access_token", "access_token is no access token.").ToException();
    }

    /// <summary>Asks for the photo, through redirects, until its first byte is about to come.</summary>
    /// <exception cref="ApiErrorException">413, 422: there is none to be had.</exception>
    public async Task<FetchedPhoto> OpenAsync(FetchedFrom from, UploadSession session, CancellationToken cancellationToken)
    {
        var photo = new FetchedPhoto(settings.Limits.MinUploadBytesPerSecond, clock, cancellationToken);
        try
        {
            var response = await photo.GuardAsync(stop => FollowAsync(from, session, stop));
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

    private async ValueTask<HttpResponseMessage> FollowAsync(FetchedFrom from, UploadSession session, CancellationToken cancellationToken)
    {
        var (address, cloud, token) = from;
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.Add("User-Agent", "Apertur-Fetch/1.0");
            request.Headers.Add("Accept", string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", SessionLimits.AllowedTypes(session))}, */*;q=0.1"));
            request.Headers.Add("Accept-Encoding", "identity");
            if (token is not null)
                request.Headers.Authorization = new("Bearer", token);
            var response = await http.SendAsync(request, cancellationToken);
            if (!LeadsOn(response, out var location))
                return response;
            response.Dispose();
            if (redirects == MostRedirects || !Uri.TryCreate(address, location, out var next) || !IsTaken(next) || cloud?.MayLeadTo(next) == false)
                throw ApiErrors.SourceUnreachable.ToException();
            // Once it has gone elsewhere, it does not come back with it either.
            if (next.GetLeftPart(UriPartial.Authority) != address.GetLeftPart(UriPartial.Authority))
                token = null;
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

/// <summary>One photo to be fetched, as whoever sends it says. Not a record, which would write the token wherever it is named.</summary>
internal sealed class FetchedFrom(Uri address, CloudSource? cloud, string? token)
{
    public void Deconstruct(out Uri where, out CloudSource? provider, out string? bearer) => (where, provider, bearer) = (address, cloud, token);
}
