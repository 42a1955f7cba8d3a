using System.Text.Json.Nodes;
using Apertur.Server.Http;
using Apertur.Server.Realtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Apertur.Tests.Realtime;

/// <summary>
/// The servers that the test suites of the two protocols (github.com/socketio/engine.io-protocol and socket.io-protocol, folder test-suite of
/// each) want to find on port 3000: they send back what they get. Run one suite at a time beside
/// <c>-explicit only -method "*Serve_the_published_suites"</c>, with <c>npm ci &amp;&amp; npx mocha test-suite.js</c>.
/// </summary>
public sealed class PublishedSuitesTests
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(3);

    [Fact(Explicit = true)]
    public async Task Serve_the_published_suites()
    {
        var options = new EngineOptions
        {
            PingInterval = TimeSpan.FromMilliseconds(300),
            PingTimeout = TimeSpan.FromMilliseconds(200),
            MaxPayload = 1_000_000,
        };
        var engine = new EngineServer(options, TimeProvider.System, connection => connection.Received = message =>
        {
            connection.Send(message);
            return Task.CompletedTask;
        });
        var sockets = new SocketServer(options, TimeSpan.FromSeconds(1), TimeProvider.System, Echo("/"), Echo("/custom"));

        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://localhost:3000");
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.UseWebSockets();
        app.Use(async (http, next) =>
        {
            try
            {
                await next(http);
            }
            catch (ApiErrorException refusal)
            {
                http.Response.StatusCode = refusal.Error.StatusCode;
            }
        });
        app.Map("/engine.io", engine.HandleAsync);
        app.Map("/socket.io", sockets.Engine.HandleAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(_longest);
        await app.WaitForShutdownAsync(limit.Token);
    }

    private static SocketNamespace Echo(string name) => new(name, (socket, auth) =>
    {
        // The suite listens for one packet at a time, and would miss a second in the same segment.
        _ = Task.Run(async () =>
        {
            await Task.Delay(_pause, TimeProvider.System);
            socket.Emit(["auth", auth.DeepClone()]);
        });
        return received =>
        {
            if (received.Name == "message")
                socket.Emit(["message-back", .. received.Arguments.Select(Copy)], received.Binary);
            else
                received.Acknowledge?.Invoke([.. received.Arguments.Select(Copy)]);
            return Task.CompletedTask;
        };
    });

    private static JsonNode? Copy(JsonNode? node) => node?.DeepClone();
}
