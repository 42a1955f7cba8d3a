using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>Rows as the database has them, for what no call of the API shows.</summary>
internal static class AperturAppRows
{
    public static async Task<IReadOnlyList<DeliveryRow>> DeliveriesAsync(this AperturApp app, string uploadId)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var id = Guid.Parse(uploadId);
        return await db.Deliveries.AsNoTracking().Where(delivery => delivery.UploadId == id).ToListAsync();
    }

    public static async Task<Destination> DestinationAsync(this AperturApp app, string destinationId)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var id = Guid.Parse(destinationId);
        return await db.Destinations.AsNoTracking().SingleAsync(destination => destination.Id == id);
    }

    /// <summary>Attempts over all deliveries.</summary>
    public static async Task<int> AttemptsAsync(this AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Deliveries.SumAsync(delivery => delivery.Attempts);
    }
}
