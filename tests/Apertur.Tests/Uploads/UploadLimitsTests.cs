using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Http;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Uploads;

/// <summary>How large an upload may be and how slow, before a byte of it was looked at.</summary>
public sealed class UploadLimitsTests
{
    private const int Megabyte = 1024 * 1024;

    [Theory, AllDatabases]
    public async Task Photo_that_is_announced_too_large_is_refused_before_it_is_sent(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        // Room for the form around it is a megabyte.
        (await app.Client.PostImageAsync(session, Photos.Jpeg(Megabyte, seed: 4))).Expect(HttpStatusCode.Created);

        var (api, page) = ($"/api/v1/upload/{session}/images", $"/u/{session}");
        foreach (var (path, length, more, answer) in new[]
        {
            (api, 2 * Megabyte, "", "100"), (api, (2 * Megabyte) + 1, "", "413"),
            // An envelope is larger than what it holds.
            (api, (5 * Megabyte / 2) + (64 * 1024), "X-Aptr-Encrypted: default\r\n", "100"),
            (api, (5 * Megabyte / 2) + (64 * 1024) + 1, "X-Aptr-Encrypted: default\r\n", "413"),
            // As many as the session still takes, of 20.
            (page, 20 * Megabyte, "", "100"), (page, (20 * Megabyte) + 1, "", "413"),
        })
        {
            using var connection = await RawConnection.OpenAsync(app.Url);
            await connection.SendAsync(
                $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=B\r\n{more}"
                + $"Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
            Assert.StartsWith($"HTTP/1.1 {answer}", await connection.ReadHeadAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Server_takes_as_much_as_the_session_does_and_asks_for_the_rate_of_the_setting()
    {
        var told = new Told();
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Limits:MinUploadBytesPerSecond"] = "4321" },
            services => services.AddSingleton<IStartupFilter>(told));
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 100 });

        (await app.Client.PostImageAsync(session, Photos.Jpeg())).Expect(HttpStatusCode.Created);

        // Noted when the answer is on its way already.
        await Eventually.True(() => told.Rate is { BytesPerSecond: 4321 });
        Assert.Equal((101L * Megabyte) + BodyDrain.MaxBytes, told.MaxBytes);
        Assert.Equal((4321, TimeSpan.FromSeconds(30)), (told.Rate!.BytesPerSecond, told.Rate.GracePeriod));
    }

    /// <summary>What the web server was told of the last request.</summary>
    private sealed class Told : IStartupFilter
    {
        public long? MaxBytes { get; private set; }

        public MinDataRate? Rate { get; private set; }

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (http, go) =>
            {
                await go(http);
                MaxBytes = http.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize;
                Rate = http.Features.Get<IHttpMinRequestBodyDataRateFeature>()!.MinDataRate;
            });
            next(app);
        };
    }
}
