using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>Rows as the database has them, for what no call of the API shows.</summary>
internal static class AperturAppRows
{
    /// <summary>Changes rows in a way that no call of the API does.</summary>
    public static Task WriteAsync(this AperturApp app, Func<AperturDb, Task> work) =>
        app.Services.GetRequiredService<Database>().WriteAsync(work, TestContext.Current.CancellationToken);

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

    /// <summary>Every text in every table, with the table and column it stands in.</summary>
    public static async Task<IReadOnlyList<(string Place, string Text)>> TextsAsync(this AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        await db.Database.OpenConnectionAsync();
        var texts = new List<(string, string)>();
        foreach (var table in db.Model.GetEntityTypes().Select(entity => entity.GetTableName()!).Distinct())
        {
            await using var command = db.Database.GetDbConnection().CreateCommand();
            command.CommandText = "SELECT * FROM " + table;
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                for (var column = 0; column < reader.FieldCount; column++)
                {
                    if (reader.GetValue(column) is string text)
                        texts.Add(($"{table}.{reader.GetName(column)}", text));
                }
            }
        }

        return texts;
    }

    /// <summary>Attempts over all deliveries.</summary>
    public static async Task<int> AttemptsAsync(this AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Deliveries.SumAsync(delivery => delivery.Attempts);
    }
}
