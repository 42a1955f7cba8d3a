using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Apertur.Tests.Contract;

/// <summary>
/// Examples for the document. Those of answers are what the server really answered (<see cref="Golden"/>), with values in place of what
/// differs from run to run; those of requests are here.
/// </summary>
internal static partial class OpenApiExamples
{
    private const string DestinationId = "018f2b6a-7c11-7e02-9d5a-1f0b6c2d4e01";

    private static readonly Dictionary<string, string> _requests = new()
    {
        ["AuthApi.Login"] = """{ "email": "owner@example.com", "password": "correct horse battery" }""",
        ["AuthApi.Refresh"] = """{ "refreshToken": "q0Zk3mYt1sXwN5v7b9c2d4f6" }""",
        ["DestinationsApi.Create"] =
            """{ "type": "webhook", "name": "Photos", "config": { "url": "https://example.com/photos", "format": "json_base64" } }""",
        ["DestinationsApi.Update"] = """{ "name": "Photos of the shop", "isActive": true }""",
        ["EventTicket.Create"] = """{ "password": "open sesame" }""",
        ["EventWebhooksApi.Create"] =
            """{ "url": "https://example.com/events", "topics": ["project.upload.*"], "customHeaders": { "X-Shop": "4" } }""",
        ["EventWebhooksApi.Update"] = """{ "topics": ["*"], "maxRetries": 5, "retryIntervals": [30, 300, 3600] }""",
        ["FetchApi.Create"] = """{ "url": "https://example.com/photos/roof.jpg", "caption": "The roof before the storm" }""",
        ["KeySecretsApi.ConfirmTotp"] = """{ "code": "287082" }""",
        ["KeysApi.Create"] = """{ "label": "Kiosk", "env": "live", "maxImages": 20, "allowedIps": ["203.0.113.0/24"] }""",
        ["KeysApi.SetDestinations"] = $$"""{ "destination_ids": ["{{DestinationId}}"], "long_polling_enabled": false }""",
        ["KeysApi.Update"] = """{ "label": "Kiosk at the door", "maxImages": null }""",
        ["MeApi.ChangePassword"] = """{ "currentPassword": "correct horse battery", "newPassword": "staple and a paper clip" }""",
        ["MeApi.ConfirmTotp"] = """{ "code": "287082" }""",
        ["MeApi.DeleteTotp"] = """{ "password": "correct horse battery" }""",
        ["MembersApi.Invite"] = """{ "email": "ann@example.com", "role": "developer" }""",
        ["MembersApi.Update"] = """{ "role": "viewer" }""",
        ["ProjectsApi.Create"] = """{ "name": "Photos" }""",
        ["ProjectsApi.Update"] = """{ "retentionDays": 90, "maxImageSizeMb": null, "branding": { "name": "Roofs", "accent": "#0b6b5a", "returnUrl": "https://roofs.example/" } }""",
        ["ReplaysApi.Create"] = $$"""{ "status": "never_dispatched", "destinationId": "{{DestinationId}}", "from": "2026-06-01T00:00:00Z" }""",
        ["UploadApi.Archive"] = """{ "uploadIds": ["019ebb38-2ebf-748a-87d6-b96d8bda75df"] }""",
        ["UploadApi.ArchiveTicket"] = """{ "uploadIds": ["019ebb38-2ebf-748a-87d6-b96d8bda75df"] }""",
        ["SessionLinkApi.UpdateImage"] = """{ "caption": "The dent in the left door" }""",
        ["SessionLinkApi.VerifyPassword"] = """{ "password": "open sesame" }""",
        ["SessionsApi.Create"] = $$"""
            {
              "destination_ids": ["{{DestinationId}}"], "label": "Damage report 4711", "tags": ["car", "north"], "metadata": { "claim": 4711 },
              "max_images": 10, "expires_in_hours": 48, "strip": "location", "ask": [{ "field": "name", "required": true }, { "field": "phone", "required": false }]
            }
            """,
        ["SessionsApi.Update"] = """{ "max_images": 30, "expires_at": "2026-03-01T18:00:00Z" }""",
        ["ShareApi.Create"] = """{ "channel": "email", "recipient": "ann@example.com", "note": "Four photos, one of each side, please." }""",
    };

    private static readonly Dictionary<string, JsonNode> _answers = Golden.All
        .Where(answer => answer.Content["body"] is JsonObject or JsonArray)
        .GroupBy(answer => $"{answer.Content["request"]} {answer.Content["status"]}")
        .ToDictionary(answers => answers.Key, answers => Fill(answers.MaxBy(answer => answer.Content["body"]!.ToJsonString().Length).Content["body"]!));

    /// <summary>Handlers that have an example; each of them must exist.</summary>
    public static IEnumerable<string> Handlers => _requests.Keys;

    public static JsonNode? Request(string handler) => _requests.GetValueOrDefault(handler) is { } text ? JsonNode.Parse(text) : null;

    public static JsonNode? Answer(string route, string status) => _answers.GetValueOrDefault($"{route} {status}")?.DeepClone();

    /// <summary>Of the shape that all refusals have.</summary>
    public static JsonNode Refusal() => Answer("POST /api/v1/projects/{projectId}/webhooks", "400")!;

    private static JsonNode Fill(JsonNode body) => JsonNode.Parse(Placeholder().Replace(body.ToJsonString(), placeholder => placeholder.Groups[1].Value switch
    {
        "server" => "https://photos.example.com",
        "instant" => "2026-01-05T12:00:00.000Z",
        "public key" => @"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----\n",
        "64 hex digits" => "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "secret" => "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "project" => "018f2b6a-7c11-7e02-9d5a-1f0b6c2d4e00",
        ['i', 'd', ' ', .. var number] => $"018f2b6a-7c11-7e02-9d5a-1f0b6c2d4f{number.PadLeft(2, '0')}",
        "receiver" => "https://example.com/hook",
        "prefix" => "aptr_live_Hq3x",
        "node" => "5f3a9c1e",
        "session" or "upload" or "image" or "destination" or "webhook" or "key" or "member" or "owner" or "replay" or "delivery" or "new project" => DestinationId,
        // Not one of ours: part of a template.
        _ => placeholder.Value,
    }))!;

    [GeneratedRegex(@"\{([a-z0-9 ]+)\}")]
    private static partial Regex Placeholder();
}
