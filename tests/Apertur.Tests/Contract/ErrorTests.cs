using System.Net;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Server.Blobs;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Contract;

/// <summary>The catalogue of errors, what the docs say of it, and each error as it is met.</summary>
public sealed partial class ErrorTests
{
    [Fact]
    public void Docs_list_exactly_the_errors_of_the_catalogue()
    {
        var documented = DocumentedError().Matches(RepositoryFiles.Read("docs/errors.md"))
            .Select(row => (int.Parse(row.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture), row.Groups[2].Value));

        Assert.Equal(Catalogue().Select(error => (error.StatusCode, error.Code)).Distinct().Order(), documented);
    }

    [Fact]
    public void Every_error_has_words_to_act_on()
    {
        Assert.All(Catalogue(), error =>
        {
            Assert.InRange(error.StatusCode, 400, 599);
            Assert.Matches("^[A-Z_]+$", error.Code);
            Assert.NotEmpty(error.Error);
            Assert.NotEmpty(error.Message);
            Assert.True(error.StatusCode is not (429 or 503) || error.RetryAfter > 0);
        });
    }

    [Theory, AllDatabases]
    public async Task VALIDATION_ERROR(DatabaseKind database) => await MeetAsync(database, 400, "VALIDATION_ERROR",
        app => app.Client.PostAsync("upload-sessions", new JsonObject { ["max_images"] = 0 }));

    [Theory, AllDatabases]
    public async Task AUTHENTICATION_FAILED(DatabaseKind database)
    {
        var answer = await MeetAsync(database, 401, "AUTHENTICATION_FAILED", app => app.ClientOf(null).GetAsync("stats"));
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Theory, AllDatabases]
    public async Task FORBIDDEN(DatabaseKind database) => await MeetAsync(database, 403, "FORBIDDEN", async app =>
    {
        var (_, key) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a", ["allowedIps"] = new JsonArray("192.0.2.1") });
        return await app.ClientOf(key).GetAsync("stats");
    });

    [Theory, AllDatabases]
    public async Task NOT_FOUND(DatabaseKind database)
    {
        await MeetAsync(database, 404, "NOT_FOUND", app => app.Client.GetAsync($"uploads/{Guid.NewGuid()}/download"));
        await MeetAsync(database, 404, "NOT_FOUND", app => app.Client.GetAsync("nothing-here"));
    }

    [Theory, AllDatabases]
    public async Task METHOD_NOT_ALLOWED(DatabaseKind database) => await MeetAsync(database, 405, "METHOD_NOT_ALLOWED",
        app => app.Client.SendAsync(HttpMethod.Put, "stats"));

    [Theory, AllDatabases]
    public async Task REQUEST_TIMEOUT(DatabaseKind database) => await MeetAsync(database, 408, "REQUEST_TIMEOUT", async app =>
    {
        var session = await app.Client.CreateSessionAsync();
        using var upload = new PausingContent();
        var answer = app.Client.PostAsync($"upload/{session}/images", upload);
        // Its file is begun after its time.
        await Eventually.True(() => Directory.EnumerateFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Any());
        app.Clock.Jump(TimeSpan.FromMinutes(16));
        // The rest is still awaited, so that the client reads the answer.
        upload.Resume();
        return await answer;
    });

    [Theory, AllDatabases]
    public async Task SESSION_COMPLETED(DatabaseKind database) => await MeetAsync(database, 409, "SESSION_COMPLETED", async app =>
    {
        var session = await app.Client.CreateSessionAsync();
        (await app.Client.PostAsync($"upload-sessions/{session}/complete")).Expect(HttpStatusCode.OK);
        return await app.Client.PostImageAsync(session, Photos.Jpeg());
    });

    [Theory, AllDatabases]
    public async Task ALREADY_ACKNOWLEDGED(DatabaseKind database) => await MeetAsync(database, 409, "ALREADY_ACKNOWLEDGED", async app =>
    {
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });
        var image = await app.Client.UploadAsync(session, Photos.Jpeg());
        var path = $"upload-sessions/{session}/images/{image["id"]}/ack";
        (await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK);
        return await app.Client.PostAsync(path);
    });

    [Theory, AllDatabases]
    public async Task IDEMPOTENCY_CONFLICT(DatabaseKind database) => await MeetAsync(database, 409, "IDEMPOTENCY_CONFLICT", async app =>
    {
        await app.Client.SendAsync(HttpMethod.Post, "upload-sessions", null, ("Idempotency-Key", "k"));
        return await app.Client.SendAsync(HttpMethod.Post, "upload-sessions", new JsonObject { ["label"] = "b" }, ("Idempotency-Key", "k"));
    });

    [Theory, AllDatabases]
    public async Task SESSION_EXPIRED(DatabaseKind database) => await MeetAsync(database, 410, "SESSION_EXPIRED", async app =>
    {
        var session = await app.Client.CreateSessionAsync();
        app.Clock.Jump(TimeSpan.FromDays(2));
        return await app.Client.PostImageAsync(session, Photos.Jpeg());
    });

    [Theory, AllDatabases]
    public async Task IMAGE_TOO_LARGE(DatabaseKind database) => await MeetAsync(database, 413, "IMAGE_TOO_LARGE", async app =>
        await app.Client.PostImageAsync(
            await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 }), Photos.Jpeg(1_100_000, seed: 1)));

    [Theory, AllDatabases]
    public async Task BODY_TOO_LARGE(DatabaseKind database) => await MeetAsync(database, 413, "BODY_TOO_LARGE",
        app => app.Client.PostAsync("upload-sessions", new JsonObject { ["label"] = new string('a', 400_000) }));

    [Theory, AllDatabases]
    public async Task UNSUPPORTED_IMAGE_TYPE(DatabaseKind database) => await MeetAsync(database, 415, "UNSUPPORTED_IMAGE_TYPE",
        async app => await app.Client.PostImageAsync(await app.Client.CreateSessionAsync(), "GIF89a"u8.ToArray()));

    [Theory, AllDatabases]
    public async Task UNSUPPORTED_MEDIA_TYPE(DatabaseKind database) => await MeetAsync(database, 415, "UNSUPPORTED_MEDIA_TYPE",
        app => app.Client.PostAsync("upload-sessions", new FormUrlEncodedContent([KeyValuePair.Create("max_images", "3")])));

    [Theory, AllDatabases]
    public async Task SESSION_FULL(DatabaseKind database) => await MeetAsync(database, 422, "SESSION_FULL", async app =>
    {
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });
        await app.Client.UploadAsync(session, Photos.Jpeg());
        return await app.Client.PostImageAsync(session, Photos.Jpeg());
    });

    [Theory, AllDatabases]
    public async Task RATE_LIMIT(DatabaseKind database)
    {
        var settings = new Dictionary<string, string?> { ["RateLimits:Enabled"] = "true", ["RateLimits:OtherCalls"] = "1" };
        var answer = await MeetAsync(database, 429, "RATE_LIMIT", async app =>
        {
            await app.Client.GetAsync("stats");
            return await app.Client.GetAsync("stats");
        }, settings);
        Assert.Equal((int)answer.Json["retryAfter"]!, (int)answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
    }

    [Theory, AllDatabases]
    public async Task INTERNAL_ERROR(DatabaseKind database) => await MeetAsync(database, 500, "INTERNAL_ERROR", async app =>
    {
        await BreakDatabaseAsync(app);
        return await app.Client.GetAsync("stats");
    });

    [Theory, AllDatabases]
    public async Task SERVICE_UNAVAILABLE(DatabaseKind database)
    {
        var answer = await MeetAsync(database, 503, "SERVICE_UNAVAILABLE", async app =>
        {
            await BreakDatabaseAsync(app);
            return await app.Client.GetAsync("/readyz");
        });
        Assert.Equal(5, answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
    }

    [Theory, AllDatabases]
    public async Task INSUFFICIENT_STORAGE(DatabaseKind database) => await MeetAsync(
        database, 507, "INSUFFICIENT_STORAGE",
        async app => await app.Client.PostImageAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg()),
        configure: services => services.AddSingleton(provider => new BlobStore(new FolderBlobs(
            Path.Combine(provider.GetRequiredService<Apertur.Server.Settings>().DataFolder, "images"), reserveBytes: long.MaxValue))));

    private static async Task<Answer> MeetAsync(
        DatabaseKind database, int status, string code, Func<AperturApp, Task<Answer>> provoke, Dictionary<string, string?>? settings = null,
        Action<IServiceCollection>? configure = null)
    {
        await using var app = await AperturApp.StartAsync(database, settings, configure);
        var answer = (await provoke(app)).Expect((HttpStatusCode)status);
        Assert.Equal("application/json", answer.ContentHeaders.ContentType!.MediaType);
        Assert.Equal(status, (int)answer.Json["statusCode"]!);
        Assert.Equal(code, (string)answer.Json["code"]!);
        Assert.NotEmpty((string)answer.Json["error"]!);
        Assert.NotEmpty((string)answer.Json["message"]!);
        return answer;
    }

    private static Task BreakDatabaseAsync(AperturApp app) => app.Services.GetRequiredService<Database>().WriteAsync(
        db => db.Database.ExecuteSqlRawAsync("ALTER TABLE projects RENAME TO elsewhere"), TestContext.Current.CancellationToken);

    /// <summary>One of each error that the catalogue can make.</summary>
    private static IEnumerable<ApiError> Catalogue()
    {
        foreach (var member in typeof(ApiErrors).GetMembers(BindingFlags.Static | BindingFlags.Public))
        {
            if (member is PropertyInfo { PropertyType: var type } property && type == typeof(ApiError))
                yield return (ApiError)property.GetValue(null)!;
            else if (member is MethodInfo { IsSpecialName: false } method && method.ReturnType == typeof(ApiError))
                yield return (ApiError)method.Invoke(null, [.. method.GetParameters().Select(parameter => Any(parameter.ParameterType))])!;
        }
    }

    private static object Any(Type type) =>
        type == typeof(string) ? "something"
        : type == typeof(IEnumerable<string>) ? new[] { "image/png" }
        : type == typeof(IReadOnlyList<FieldError>) ? new[] { new FieldError("field", "something") }
        : type == typeof(int) ? 1
        : type == typeof(TimeSpan) ? TimeSpan.FromSeconds(1)
        : Activator.CreateInstance(type)!;

    [GeneratedRegex(@"^\| (\d{3}) \| `([A-Z_]+)` \|", RegexOptions.Multiline)]
    private static partial Regex DocumentedError();

    /// <summary>The beginning of an upload, and after a while a little more.</summary>
    private sealed class PausingContent : HttpContent
    {
        private readonly TaskCompletionSource _resumed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public PausingContent() => Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=X");

        public void Resume() => _resumed.TrySetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync("--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n"u8.ToArray());
            // More than the server holds before it begins a file.
            await stream.WriteAsync(Photos.Jpeg(600_000, seed: 1).AsMemory(0, 500_000));
            await stream.FlushAsync();
            await _resumed.Task;
            await stream.WriteAsync(Photos.Jpeg(600_000, seed: 1).AsMemory(500_000, 10));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
