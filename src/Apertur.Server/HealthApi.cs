using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server;

/// <summary>What a supervisor or balancer asks.</summary>
internal static class HealthApi
{
    /// <summary>Whether the server runs at all.</summary>
    public static Ok<HealthResponse> Alive() => TypedResults.Ok(new HealthResponse("ok"));

    /// <summary>Whether photos can be taken in now: the database answers and the blob store writes.</summary>
    public static async Task<Results<Ok<HealthResponse>, ApiError>> Ready(AperturDb db, BlobStore blobs, CancellationToken cancellationToken)
    {
        try
        {
            await db.Projects.AnyAsync(cancellationToken);
            await blobs.CheckAsync(cancellationToken);
            var damaged = await db.Uploads.CountAsync(upload => upload.DamagedAt != null, cancellationToken);
            return TypedResults.Ok(new HealthResponse("ok") { DamagedPhotos = damaged == 0 ? null : damaged });
        }
        catch (DiskFullException)
        {
            return ApiErrors.DiskFull;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return ApiErrors.Unavailable;
        }
    }
}
