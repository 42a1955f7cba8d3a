using System.Net;
using System.Net.Sockets;
using System.Text;
using Apertur.Server;
using Apertur.Server.Http;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Scenarios;

/// <summary>What becomes of requests when the server is told to stop.</summary>
public sealed class StopTests
{
    private const string Part = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n";
    private const string End = "\r\n--B--\r\n";

    [Theory, AllDatabases]
    public async Task Upload_under_way_is_finished(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var photo = Encoding.Latin1.GetString(Photos.Jpeg(200_000, seed: 1));
        using var phone = await BeginAsync(app, photo);

        var restart = await TellAsync(app);
        await phone.SendAsync(photo[100_000..] + End);

        Assert.StartsWith("HTTP/1.1 201 ", await phone.ReadAsync(), StringComparison.Ordinal);
        await restart;
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Upload_that_does_not_end_in_time_is_told_to_come_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var seconds = app.Services.GetRequiredService<Settings>().Delivery.StopSeconds;
        var photo = Encoding.Latin1.GetString(Photos.Jpeg(200_000, seed: 1));
        using var phone = await BeginAsync(app, photo);

        var restart = await TellAsync(app);
        app.Clock.Jump(TimeSpan.FromSeconds(seconds));
        // What is left of the body is waited for a little, or nobody would read the answer.
        await Eventually.True(() =>
        {
            app.Clock.Jump(StopDeadline.Grace);
            return phone.HasAnswer;
        });

        var answer = await phone.ReadAsync();
        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nRetry-After: 5\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nConnection: close\r\n", answer, StringComparison.Ordinal);
        await restart;
        Assert.Empty(Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories));
    }

    [Theory, AllDatabases]
    public async Task New_requests_are_turned_away(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        app.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        foreach (var answer in new[]
        {
            await app.Client.GetAsync("stats"), await app.Client.GetAsync("/readyz"), await app.Client.GetAsync($"/u/{session}"),
            await app.Client.PostImageAsync(session, Photos.Jpeg(2_000_000, seed: 1)),
        })
        {
            Assert.Equal("SERVICE_UNAVAILABLE", (string)answer.Expect(HttpStatusCode.ServiceUnavailable).Json["code"]!);
            Assert.Equal(TimeSpan.FromSeconds(5), answer.Headers.RetryAfter!.Delta);
            Assert.True(answer.Headers.ConnectionClose);
        }
    }

    [Theory, AllDatabases]
    public async Task Whoever_waits_for_news_gets_an_answer_and_streams_end(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new System.Text.Json.Nodes.JsonObject { ["long_polling"] = true });
        var now = Uri.EscapeDataString(app.Clock.GetUtcNow().AddMinutes(1).ToString("O"));
        var status = app.Client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={now}");
        var poll = app.Client.GetAsync($"upload-sessions/{session}/poll?timeout=30");
        var stream = app.Client.GetAsync($"upload/{session}/events");
        await Eventually.True(() => app.Services.GetRequiredService<Apertur.Server.Sessions.SessionNotifier>().Watchers == 3);

        var restart = await TellAsync(app);

        (await Eventually.Arrives(status)).Expect(HttpStatusCode.OK);
        (await Eventually.Arrives(poll)).Expect(HttpStatusCode.OK);
        Assert.Contains("event: connected", (await Eventually.Arrives(stream)).Expect(HttpStatusCode.OK).Text, StringComparison.Ordinal);
        await restart;
    }

    /// <summary>The first half of an upload, which has reached the disk.</summary>
    private static async Task<RawConnection> BeginAsync(AperturApp app, string photo)
    {
        var session = await app.Client.CreateSessionAsync();
        var phone = await RawConnection.OpenAsync(app.Url);
        await phone.SendAsync($"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\n"
            + $"Content-Length: {Part.Length + photo.Length + End.Length}\r\n\r\n{Part}{photo[..100_000]}");
        await Eventually.True(() => Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length == 1);
        return phone;
    }

    /// <summary>Tells the server to stop, and to start again after that; returns when it takes no connections any more.</summary>
    private static async Task<Task> TellAsync(AperturApp app)
    {
        var url = app.Url;
        var restart = Task.Run(() => app.RestartAsync());
        await Eventually.Becomes(async () =>
        {
            try
            {
                using var connection = await RawConnection.OpenAsync(url);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }, listens => !listens, "takes no connections");
        return restart;
    }
}
