using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>More keys, and more projects, than an installation starts with.</summary>
internal static class AperturAppKeys
{
    public static async Task<(JsonNode Key, string PlainText)> CreateKeyAsync(this AperturApp app, JsonObject request)
    {
        var made = (await app.Client.PostAsync($"projects/{app.ProjectId}/keys", request)).Expect(HttpStatusCode.Created).Json;
        return (made["key"]!, (string)made["plainTextKey"]!);
    }

    public static async Task<JsonNode> ChangeKeyAsync(this AperturApp app, JsonNode key, JsonObject request) =>
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/keys/{key["id"]}", request)).Expect(HttpStatusCode.OK).Json;

    /// <summary>A project that the installation's keys have no access to, with a key of its own.</summary>
    public static async Task<(Guid ProjectId, Guid KeyId, string Key)> CreateOtherProjectAsync(this AperturApp app)
    {
        var now = app.Clock.GetUtcNow();
        var project = Project.Create("Other", app.Services.GetRequiredService<ColumnEncryption>(), now);
        var (key, plainText) = ApiKey.Create(project.Id, Env.Live, "Other", now);
        await app.Services.GetRequiredService<Database>().WriteAsync(
            db =>
            {
                db.Projects.Add(project);
                db.ApiKeys.Add(key);
                return Task.CompletedTask;
            },
            TestContext.Current.CancellationToken);
        return (project.Id, key.Id, plainText);
    }
}
