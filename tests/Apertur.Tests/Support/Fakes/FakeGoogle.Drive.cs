using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support.Fakes;

/// <summary>Drive v3 (https://developers.google.com/workspace/drive/api/reference/rest/v3/files).</summary>
public sealed partial class FakeGoogle
{
    private const string FolderType = "application/vnd.google-apps.folder";
    private const string RootId = "root-of-my-drive";

    private readonly Dictionary<string, DriveFile> _files = new()
    {
        [RootId] = new(new JsonObject { ["id"] = RootId, ["mimeType"] = FolderType }, []),
    };

    private readonly HashSet<string> _generatedIds = [];
    private int _created;

    /// <summary>A file or folder.</summary>
    public sealed record DriveFile(JsonObject Resource, byte[] Bytes)
    {
        public string Id => (string)Resource["id"]!;

        public string Name => (string?)Resource["name"] ?? "";

        public bool IsFolder => (string?)Resource["mimeType"] == FolderType;

        public bool IsTrashed => (bool?)Resource["trashed"] == true;

        public string? Parent => (string?)Resource["parents"]?[0];
    }

    /// <summary>Files that are not folders and not in the trash themselves.</summary>
    public IReadOnlyList<DriveFile> Files => All(file => !file.IsFolder && !file.IsTrashed);

    /// <summary>Folders without the root and not in the trash.</summary>
    public IReadOnlyList<DriveFile> Folders => All(file => file.IsFolder && !file.IsTrashed && file.Id != RootId);

    /// <summary>The names from the root to a file, joined by slashes.</summary>
    public string PathOf(DriveFile file)
    {
        lock (_files)
            return file.Parent is { } parent && parent != RootId ? $"{PathOf(_files[parent])}/{file.Name}" : file.Name;
    }

    /// <summary>Makes a folder as a person would.</summary>
    public string MakeFolder(string name)
    {
        lock (_files)
            return Add(new JsonObject { ["name"] = name, ["mimeType"] = FolderType }, null, []).Id;
    }

    /// <summary>Deletes a file, or a folder with all that is in it, as a person would.</summary>
    public void Delete(string id)
    {
        lock (_files)
        {
            _files.Remove(id);
            foreach (var inside in _files.Values.Where(file => file.Parent == id).ToList())
                Delete(inside.Id);
        }
    }

    /// <summary>Moves a folder to the trash as a person would: it still takes files.</summary>
    public void Trash(string id)
    {
        lock (_files)
            _files[id].Resource["trashed"] = true;
    }

    private DriveFile[] All(Func<DriveFile, bool> filter)
    {
        lock (_files)
            return [.. _files.Values.Where(filter)];
    }

    private void MapDrive(WebApplication app)
    {
        app.MapGet("/drive/v3/files/generateIds", (HttpRequest request) =>
        {
            var count = int.Parse(request.Query["count"].FirstOrDefault() ?? "10", CultureInfo.InvariantCulture);
            var ids = Enumerable.Range(0, count).Select(_ => NewId()).ToList();
            lock (_files)
                _generatedIds.UnionWith(ids);
            return Unauthorized(request) ?? FakeJson.Answer(new JsonObject
            {
                ["kind"] = "drive#generatedIds",
                ["space"] = "drive",
                ["ids"] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]),
            });
        });
        app.MapGet("/drive/v3/files", Search);
        app.MapPost("/drive/v3/files", async (HttpRequest request) =>
        {
            var metadata = JsonNode.Parse(await ReadAsync(request.Body))!.AsObject();
            return Unauthorized(request) ?? CheckFile(metadata) ?? CreateFile(metadata, null, [], request.Query["fields"]);
        });
        app.MapGet("/drive/v3/files/{id}", (HttpRequest request, string id) =>
        {
            if (Unauthorized(request) is { } refused)
                return refused;
            lock (_files)
            {
                if (!_files.TryGetValue(id, out var file))
                    return NoFile(id);
                return request.Query["alt"] == "media"
                    ? Results.Bytes(file.Bytes, (string?)file.Resource["mimeType"])
                    : FakeJson.Answer(Only(file.Resource.DeepClone(), FieldsOf(request.Query["fields"])));
            }
        });
        app.MapPatch("/drive/v3/files/{id}", async (HttpRequest request, string id) =>
        {
            var change = JsonNode.Parse(await ReadAsync(request.Body))!.AsObject();
            if (Unauthorized(request) is { } refused)
                return refused;
            lock (_files)
            {
                if (!_files.TryGetValue(id, out var file))
                    return NoFile(id);
                foreach (var (name, value) in change)
                    file.Resource[name] = value?.DeepClone();
                return FakeJson.Answer(Only(file.Resource.DeepClone(), FieldsOf(request.Query["fields"])));
            }
        });
        app.MapDelete("/drive/v3/files/{id}", (HttpRequest request, string id) =>
        {
            if (Unauthorized(request) is { } refused)
                return refused;
            lock (_files)
                return _files.Remove(id) ? Results.NoContent() : NoFile(id);
        });
    }

    private IResult? CheckFile(JsonObject metadata)
    {
        lock (_files)
        {
            var parent = ParentOf(metadata);
            if (!_files.TryGetValue(parent, out var folder) || !folder.IsFolder)
                return NoFile(parent);
            if ((string?)metadata["id"] is not { } id)
                return null;
            if (!_generatedIds.Contains(id))
                return Error(400, "invalid", "The provided file ID is not usable.");
            return _files.ContainsKey(id) ? Error(409, "fileIdInUse", "A file already exists with the provided ID.") : null;
        }
    }

    private IResult CreateFile(JsonObject metadata, string? contentType, byte[] bytes, string? fields)
    {
        lock (_files)
        {
            return CheckFile(metadata)
                ?? FakeJson.Answer(Only(Add(metadata, contentType, bytes).Resource.DeepClone(), FieldsOf(fields)));
        }
    }

    private DriveFile Add(JsonObject metadata, string? contentType, byte[] bytes)
    {
        var type = (string?)metadata["mimeType"] ?? contentType ?? "application/octet-stream";
        var resource = new JsonObject
        {
            ["kind"] = "drive#file",
            ["id"] = (string?)metadata["id"] ?? NewId(),
            ["name"] = (string?)metadata["name"] ?? "Untitled",
            ["mimeType"] = type,
            ["parents"] = new JsonArray(ParentOf(metadata)),
            ["appProperties"] = metadata["appProperties"]?.DeepClone(),
            ["description"] = metadata["description"]?.DeepClone(),
            ["trashed"] = (bool?)_files[ParentOf(metadata)].Resource["trashed"] ?? false,
            // The order of creation tells as well as the clock, and never ties.
            ["createdTime"] = DateTimeOffset.UnixEpoch.AddSeconds(++_created).ToString("o", CultureInfo.InvariantCulture),
        };
        if (type != FolderType)
        {
            resource["size"] = bytes.Length.ToString(CultureInfo.InvariantCulture);
            resource["md5Checksum"] = Convert.ToHexStringLower(Md5(bytes));
            resource["sha256Checksum"] = Convert.ToHexStringLower(SHA256.HashData(bytes));
        }

        return _files[(string)resource["id"]!] = new DriveFile(resource, bytes);
    }

    private IResult Search(HttpRequest request)
    {
        if (Unauthorized(request) is { } refused)
            return refused;

        var query = request.Query["q"].ToString();
        var terms = QueryTerm().Matches(query);
        // Everything that is not a term has to be an "and" between two.
        if (QueryTerm().Replace(query, "").Replace("and", "", StringComparison.Ordinal).Trim().Length > 0)
            return Error(400, "invalid", "Invalid Value");

        lock (_files)
        {
            IEnumerable<DriveFile> found = _files.Values.Where(file => file.Id != RootId);
            foreach (Match term in terms)
            {
                if (term.Groups["parent"] is { Success: true } parent)
                {
                    var id = Unquoted(parent.Value) is var p && p == "root" ? RootId : p;
                    if (!_files.ContainsKey(id))
                        return NoFile(".");
                    found = found.Where(file => file.Parent == id);
                }
                else if (term.Groups["member"] is { Success: true } member)
                {
                    found = found.Where(file => (string?)file.Resource[member.Value] == Unquoted(term.Groups["value"].Value));
                }
                else if (term.Value.StartsWith("trashed", StringComparison.Ordinal))
                {
                    found = found.Where(file => !(bool)file.Resource["trashed"]!);
                }
                else if (term.Groups["key"] is { Success: true } key)
                {
                    found = found.Where(file =>
                        (string?)file.Resource["appProperties"]?[Unquoted(key.Value)] == Unquoted(term.Groups["property"].Value));
                }
            }

            var files = found.OrderBy(file => (string)file.Resource["createdTime"]!, StringComparer.Ordinal)
                .Select(file => file.Resource.DeepClone());
            var list = new JsonObject
            {
                ["kind"] = "drive#fileList",
                ["incompleteSearch"] = false,
                ["files"] = new JsonArray([.. files]),
            };
            return FakeJson.Answer(Only(
                list,
                request.Query["fields"].FirstOrDefault() ?? $"kind,incompleteSearch,files({FieldsOf(null)})"));
        }
    }

    private static string ParentOf(JsonObject metadata) =>
        (string?)metadata["parents"]?[0] is { } parent && parent != "root" ? parent : RootId;

    /// <summary>Drive gives four members unless asked for others.</summary>
    private static string FieldsOf(string? fields) => string.IsNullOrEmpty(fields) ? "kind,id,name,mimeType" : fields;

    private static IResult NoFile(string id) => Error(404, "notFound", $"File not found: {id}.");

    private static string NewId() => "1" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private static string Unquoted(string quoted) => Regex.Replace(quoted[1..^1], @"\\(.)", "$1");

    private const string QuotedPattern = @"'(?:[^'\\]|\\.)*'";

    [GeneratedRegex($@"(?<parent>{QuotedPattern}) in parents"
        + $@"|(?<member>name|mimeType) = (?<value>{QuotedPattern})"
        + $@"|appProperties has \{{ key=(?<key>{QuotedPattern}) and value=(?<property>{QuotedPattern}) \}}"
        + "|trashed = false")]
    private static partial Regex QueryTerm();
}
