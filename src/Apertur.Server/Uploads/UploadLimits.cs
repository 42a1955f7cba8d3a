using Apertur.Server.Encryption;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Apertur.Server.Uploads;

/// <summary>Limits of one upload: announced size, minimum rate and duration.</summary>
internal sealed class UploadLimits(Settings settings, StopDeadline stop, TimeProvider clock)
{
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(30);

    // Room for the other parts and the headers of the form.
    private const long FormBytes = 1024 * 1024;

    /// <summary>Sets the bounds on a request whose body has not been read yet. The token ends when the time is up, the server must stop,
    /// or with the request.</summary>
    /// <param name="images">How many photos it may bring.</param>
    /// <param name="encrypted">Whether they come in envelopes.</param>
    /// <exception cref="ApiErrorException">413 when the request announces more than the session takes.</exception>
    public CancellationTokenSource Begin(HttpContext http, UploadSession session, int images = 1, bool encrypted = false)
    {
        var image = session.MaxImageSizeMb * 1024L * 1024;
        var most = ((encrypted ? EnvelopeIntake.MaxBytes(image) : image) * images) + FormBytes;
        http.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = most + BodyDrain.MaxBytes;
        if (http.Request.ContentLength > most)
            throw ApiErrors.ImageTooLarge(session.MaxImageSizeMb).ToException();

        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = new MinDataRate(settings.Limits.MinUploadBytesPerSecond, _grace);
        return Deadline(http);
    }

    /// <summary>A token that ends when an upload's time is up, the server must stop, or with the request.</summary>
    public CancellationTokenSource Deadline(HttpContext http)
    {
        // A linked source has no constructor with a clock. A source's own timer may fire when all is over; one that cancels a disposed source
        // would end the process.
        var time = new CancellationTokenSource(TimeSpan.FromMinutes(settings.Limits.MaxUploadMinutes), clock);
        http.Response.RegisterForDispose(time);
        return CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, time.Token, stop.Passed);
    }
}
