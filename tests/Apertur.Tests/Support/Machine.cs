using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Tests.Destinations;

namespace Apertur.Tests.Support;

/// <summary>Where an installation can be and nothing is yet: a data folder with settings, a database and, where asked for, a bucket of its own.</summary>
internal sealed class Machine : IAsyncDisposable
{
    private readonly TempFolder _data = new();
    private readonly TestDatabase? _postgreSql;

    private Machine(TestDatabase? postgreSql, Bucket? bucket)
    {
        (_postgreSql, Bucket) = (postgreSql, bucket);
        var settings = new JsonObject();
        if (postgreSql is not null)
        {
            settings["Database"] = new JsonObject
            {
                ["Provider"] = nameof(DatabaseProvider.PostgreSql),
                ["ConnectionString"] = postgreSql.ConnectionString,
                ["AllowDataLoss"] = "true",
            };
        }

        // As nodes have it that share no folder.
        if (postgreSql is not null && bucket is not null)
            settings["Keys"] = new JsonObject { ["Place"] = nameof(KeysPlace.Database), ["WrappingKey"] = Convert.ToBase64String(new byte[32]) };
        foreach (var (name, value) in bucket?.StorageSettings() ?? [])
        {
            var names = name.Split(':');
            var storage = settings["Storage"] ??= new JsonObject();
            (names.Length == 2 ? storage : storage["S3"] ??= new JsonObject())[names[^1]] = value;
        }

        File.WriteAllText(_data.File("apertur.json"), settings.ToJsonString());
    }

    public string Data => _data.Path;

    public Bucket? Bucket { get; }

    public static async Task<Machine> MakeAsync(DatabaseKind database, bool withBucket = false) => new(
        database == DatabaseKind.PostgreSql ? await TestDatabase.CreateAsync(database) : null, withBucket ? await Bucket.MakeAsync() : null);

    /// <summary>Runs a command there.</summary>
    public Task<(int ExitCode, string Output, string Errors)> TryAsync(params string[] arguments) =>
        AperturProcess.RunAsync([.. arguments, "--json", "--data", Data]);

    /// <summary>Runs a command there that must succeed, and gives what it printed.</summary>
    public async Task<JsonNode> RunAsync(params string[] arguments)
    {
        var (code, output, errors) = await TryAsync(arguments);
        Assert.True(code == 0, $"{string.Join(' ', arguments)}: {code}: {errors} {output}");
        return JsonNode.Parse(output)!;
    }

    public async ValueTask DisposeAsync()
    {
        Bucket?.Dispose();
        if (_postgreSql is not null)
            await _postgreSql.DisposeAsync();
        _data.Dispose();
    }
}
