using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.ProjectData;
using Apertur.Tests.Support;

namespace Apertur.Tests.Deliveries;

/// <summary>What is counted when deliveries end.</summary>
public sealed class DeliveryCountTests
{
    [Theory, AllDatabases]
    public async Task Photo_counts_once_however_many_destinations_refuse_or_take_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var good = await Receiver.StartAsync();
        await using var gone = await GoneAsync();
        var destinations = new[] { good, good, gone, gone }.Select(receiver => app.ToAsync(receiver));
        var session = await app.Client.CreateSessionAsync(await Task.WhenAll(destinations));
        var upload = await app.Client.UploadAsync(session, Photos.Png());

        var row = await app.Client.UploadBecomesAsync((string)upload["id"]!, "partial");

        Assert.Equal((2, 2), ((int)row["destinationsDelivered"]!, (int)row["destinationsFailed"]!));
        var counted = (await app.Client.GetAsync("sessions/recent")).Json[0]!;
        Assert.Equal((1, 1), ((int)counted["imagesDelivered"]!, (int)counted["imagesFailed"]!));
        var details = (await app.Client.GetAsync($"upload-sessions/{session}")).Json;
        Assert.Equal((1, 1), ((int)details["imagesDelivered"]!, (int)details["imagesFailed"]!));
        Assert.Equal(1, (int)(await app.Client.GetAsync("stats")).Json["imagesDelivered"]!);
        var again = (await app.Client.PostAsync($"uploads/{upload["id"]}/retry")).Json;
        Assert.Equal("2 deliveries are being tried again.", (string)again["message"]!);
    }

    /// <summary>One of three is 33.3 %, one of eight 12.5 %: the nearest whole number, halves upwards.</summary>
    [Theory, AllDatabases]
    public async Task Success_rate_is_rounded_to_the_nearest_percent(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var good = await Receiver.StartAsync();
        await using var gone = await GoneAsync();
        var taken = await app.ToAsync(good);
        var refused = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => app.ToAsync(gone)));

        Assert.Equal(33, await RateAfterAsync("partial", taken, refused[0], refused[1]));
        Assert.Equal(13, await RateAfterAsync("failed", refused));

        async Task<int> RateAfterAsync(string status, params string[] destinations)
        {
            var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(destinations), Photos.Png());
            await app.Client.UploadBecomesAsync((string)upload["id"]!, status);
            return (int)(await app.Client.GetAsync("stats")).Json["deliverySuccessRate"]!;
        }
    }

    /// <summary>Two transactions that write the same rows would else wait for each other.</summary>
    [Fact]
    public void Counts_are_written_days_first_and_in_the_order_of_their_keys()
    {
        var (changes, midnight) = (new CountChanges(), new DateTimeOffset(2026, 6, 12, 0, 0, 0, TimeSpan.Zero));
        for (var project = 0; project < 8; project++)
        {
            var id = Guid.NewGuid();
            foreach (var minutes in new[] { 3_000, 1, 0 })
                changes.For(id, Env.Live, midnight.AddMinutes(minutes)).Images++;
        }

        var rows = changes.Statements()
            .Select(row => (IsMinute: row.Format.Contains("minute_counts", StringComparison.Ordinal), Project: $"{row.GetArgument(0)}", At: (int)row.GetArgument(2)!))
            .ToList();

        Assert.Equal((16, 24), (rows.Count(row => !row.IsMinute), rows.Count(row => row.IsMinute)));
        Assert.Equal(rows.OrderBy(row => row.IsMinute).ThenBy(row => row.Project).ThenBy(row => row.At), rows);
    }

    private static async Task<Receiver> GoneAsync()
    {
        var receiver = await Receiver.StartAsync();
        return receiver.Answers([.. Enumerable.Repeat(410, 10)]);
    }
}

file static class Destinations
{
    public static Task<string> ToAsync(this AperturApp app, Receiver receiver) =>
        app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
}
