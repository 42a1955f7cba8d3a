using System.Net;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>One kind of work that power is cut in.</summary>
/// <param name="Name">As it is printed.</param>
/// <param name="Longest">The cut comes within this time, or when the work is done.</param>
/// <param name="RunAsync">Works until it is done or the server does not answer any more.</param>
internal sealed record Work(string Name, TimeSpan Longest, Func<Installed, Task> RunAsync)
{
    private const int Clients = 4;

    /// <summary>The first in the life of an installation.</summary>
    public static Work FirstStart { get; } = new("first start", TimeSpan.FromSeconds(4), FirstStartAsync);

    /// <summary>Its first round comes ten seconds after the start.</summary>
    public static Work Retention { get; } = new("retention", TimeSpan.FromSeconds(12), RetentionAsync);

    /// <summary>What a server does after that. A new kind of work is one more line.</summary>
    public static IReadOnlyList<Work> Others { get; } =
    [
        new("uploads", TimeSpan.FromSeconds(1), UploadsAsync),
        new("encryption-keys rotate", TimeSpan.FromSeconds(2), RotateAsync),
        new("deletions", TimeSpan.FromSeconds(1), DeletionsAsync),
        new("thumbnails", TimeSpan.FromSeconds(1), ThumbnailsAsync),
        Retention,
    ];

    private static async Task FirstStartAsync(Installed at)
    {
        await at.InitAsync();
        if (!at.IsPromised)
            throw new InvalidOperationException("'init' failed.");
        await at.ServeAsync();
        await at.SignInAsync();
        await at.KeepSecretsAsync();
        await UploadAsync(at, 5);
    }

    private static Task UploadsAsync(Installed at) => UploadAsync(at, 40);

    private static async Task RotateAsync(Installed at) =>
        // Beside a server that goes on encrypting and writing.
        await Task.WhenAll(
            UploadAsync(at, 10),
            Task.Run(async () => _ = await at.CommandAsync("encryption-keys", "rotate") ?? throw new InvalidOperationException("'rotate' failed.")));

    private static async Task DeletionsAsync(Installed at)
    {
        var project = Guid.Parse((string)(await at.Owner.PostAsync("projects", new { name = "Short-lived" })).Expect(HttpStatusCode.Created).Json["id"]!);
        await UploadAsync(at, 5, project);
        var session = await at.SessionAsync();
        var ids = await Task.WhenAll(Enumerable.Range(0, 15).Select(_ => at.UploadAsync(session)));
        var paths = ids.Where((id, i) => id is not null && i % 3 > 0).Select(id => $"uploads/{id}").Append($"projects/{project}");
        await Parallel.ForEachAsync(
            paths, new ParallelOptions { MaxDegreeOfParallelism = Clients }, async (path, _) => await at.Promises.RemoveAsync(at.Owner, path));
    }

    /// <summary>Photos that go at the first round, while others that stay come in.</summary>
    private static async Task RetentionAsync(Installed at)
    {
        var project = Guid.Parse((string)(await at.Owner.PostAsync("projects", new { name = "Forgetful", retentionDays = 0 }))
            .Expect(HttpStatusCode.Created).Json["id"]!);
        await UploadAsync(at, 20, project);
        while (await Promises.HasPhotosAsync(at.Owner, project))
            await UploadAsync(at, 10);
    }

    private static async Task ThumbnailsAsync(Installed at)
    {
        var session = await at.SessionAsync();
        await Parallel.ForAsync(0, 10, new ParallelOptions { MaxDegreeOfParallelism = Clients }, async (_, _) =>
        {
            if (await at.UploadAsync(session) is { } id)
                await at.Owner.GetAsync($"uploads/{id}/thumbnail");
        });
    }

    private static async Task UploadAsync(Installed at, int photos, Guid? project = null)
    {
        var session = await at.SessionAsync(project);
        await Parallel.ForAsync(
            0, photos, new ParallelOptions { MaxDegreeOfParallelism = Clients },
            async (_, _) => await at.UploadAsync(session, lasting: project is null));
    }
}
