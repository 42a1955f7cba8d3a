using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support.Fakes;

/// <summary>Cloud Storage's JSON API (https://cloud.google.com/storage/docs/json_api/v1/objects).</summary>
public sealed partial class FakeGoogle
{
    public const string BucketName = "photos-of-claims";

    private readonly ConcurrentDictionary<string, StoredObject> _objects = new();
    private long _generation = 1_700_000_000_000_000;

    /// <summary>An object as the bucket holds it.</summary>
    public sealed record StoredObject(JsonObject Resource, byte[] Bytes)
    {
        public string Name => (string)Resource["name"]!;
    }

    /// <summary>What the bucket holds.</summary>
    public IReadOnlyList<StoredObject> Objects => [.. _objects.Values];

    /// <summary>Puts an object there as a stranger would.</summary>
    public void PutObject(string name, byte[] bytes) => Store(new JsonObject { ["name"] = name }, "image/jpeg", bytes);

    private void MapStorage(WebApplication app)
    {
        app.MapGet("/storage/v1/b/{bucket}/o/{name}", GetObject);
        // The Node client downloads from here.
        app.MapGet("/download/storage/v1/b/{bucket}/o/{name}", GetObject);
    }

    private IResult GetObject(HttpRequest request, string bucket, string name)
    {
        if (Unauthorized(request) is { } refused)
            return refused;
        if (bucket != BucketName || !_objects.TryGetValue(Uri.UnescapeDataString(name), out var found))
            return NoObject(name);
        if (request.Query["alt"] != "media")
            return FakeJson.Answer(Only(found.Resource.DeepClone(), request.Query["fields"]));

        var headers = request.HttpContext.Response.Headers;
        headers["x-goog-hash"] = $"crc32c={found.Resource["crc32c"]},md5={found.Resource["md5Hash"]}";
        headers["x-goog-generation"] = (string)found.Resource["generation"]!;
        return Results.Bytes(found.Bytes, (string?)found.Resource["contentType"]);
    }

    private IResult? CheckObject(string bucket, JsonObject metadata, IQueryCollection query)
    {
        if (bucket != BucketName)
            return Error(404, "notFound", "The specified bucket does not exist.");
        if ((string?)metadata["name"] is not { Length: > 0 } name)
            return Error(400, "required", "Required");
        return query["ifGenerationMatch"] == "0" && _objects.ContainsKey(name)
            ? Error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
            : null;
    }

    private IResult CreateObject(string bucket, JsonObject metadata, string? contentType, byte[] bytes, IQueryCollection query)
    {
        var (sent, counted) = ((string?)metadata["crc32c"], Crc32CReference(bytes));
        if (sent is not null && sent != counted)
            return Error(400, "invalid", $"Provided CRC32C \"{sent}\" doesn't match calculated CRC32C \"{counted}\".");

        lock (_objects)
        {
            return CheckObject(bucket, metadata, query)
                ?? FakeJson.Answer(Only(Store(metadata, contentType, bytes).DeepClone(), query["fields"]));
        }
    }

    private JsonObject Store(JsonObject metadata, string? contentType, byte[] bytes)
    {
        var name = (string)metadata["name"]!;
        var generation = Interlocked.Increment(ref _generation).ToString(CultureInfo.InvariantCulture);
        var resource = new JsonObject
        {
            ["kind"] = "storage#object",
            ["id"] = $"{BucketName}/{name}/{generation}",
            ["selfLink"] = new Uri(Root, $"storage/v1/b/{BucketName}/o/{Uri.EscapeDataString(name)}").AbsoluteUri,
            ["name"] = name,
            ["bucket"] = BucketName,
            ["generation"] = generation,
            ["metageneration"] = "1",
            ["contentType"] = (string?)metadata["contentType"] ?? contentType ?? "application/octet-stream",
            ["storageClass"] = "STANDARD",
            ["size"] = bytes.Length.ToString(CultureInfo.InvariantCulture),
            ["md5Hash"] = Convert.ToBase64String(Md5(bytes)),
            ["crc32c"] = Crc32CReference(bytes),
            ["metadata"] = metadata["metadata"]?.DeepClone(),
        };
        _objects[name] = new StoredObject(resource, bytes);
        return resource;
    }

    private static IResult NoObject(string name) => Error(404, "notFound", $"No such object: {BucketName}/{name}");

    /// <summary>Byte by byte, from the definition: a second opinion on the product's.</summary>
    public static string Crc32CReference(byte[] bytes)
    {
        var crc = bytes.Aggregate(uint.MaxValue, BitOperations.Crc32C);
        var big = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(big, ~crc);
        return Convert.ToBase64String(big);
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5351", Justification = "The service's checksum is MD5.")]
    private static byte[] Md5(byte[] bytes) => MD5.HashData(bytes);
}
