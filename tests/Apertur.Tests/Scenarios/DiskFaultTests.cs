using System.Diagnostics;
using System.Net;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>What the server answers when its disk fails: for uploads in all their forms, for other writes, and for reads, which go on.</summary>
public sealed class DiskFaultTests
{
    [Fact]
    public Task Disk_that_has_become_read_only_refuses_writes_for_now_and_reads_go_on() => RunAsync(
        HttpStatusCode.ServiceUnavailable, disk => disk.MakeReadOnly(), heal: null);

    [Fact]
    public Task Full_disk_refuses_writes_for_lack_of_room_and_reads_go_on() => RunAsync(
        HttpStatusCode.InsufficientStorage, disk => disk.Fill(), disk => disk.Free());

    [Fact]
    public async Task Process_without_file_descriptors_refuses_photos_for_now()
    {
        using var disk = SmallDisk.Mount(megabytes: 160);
        await using var server = await AperturProcess.ServeAsync(disk.Path, await AperturProcess.InitAsync(disk.Path));
        var session = await server.Client.CreateSessionAsync();
        var uploads = await FormsAsync(server, session);

        // The limit is on the numbers: with the first free one out of bounds, nothing more can be opened.
        var open = Directory.GetFiles($"/proc/{server.Id}/fd").Select(Path.GetFileName).ToHashSet();
        Limit(server, Enumerable.Range(0, 1024).First(number => !open.Contains($"{number}")));
        foreach (var upload in uploads)
            Refuses(await upload(), HttpStatusCode.ServiceUnavailable);
        Refuses(await server.ClientOf(null).GetAsync("/readyz"), HttpStatusCode.ServiceUnavailable);

        Limit(server, 1024);
        await server.Client.UploadAsync(session, Photos.Jpeg(300_000, seed: 3));
    }

    private static async Task RunAsync(HttpStatusCode refused, Action<SmallDisk> fail, Action<SmallDisk>? heal)
    {
        using var disk = SmallDisk.Mount(megabytes: 160);
        var installation = await AperturProcess.InitAsync(disk.Path);
        await using var server = await AperturProcess.ServeAsync(disk.Path, installation);
        var session = await server.Client.CreateSessionAsync();
        var unopened = await server.Client.CreateSessionAsync();
        var upload = await server.Client.UploadAsync(session, Photos.Jpeg());
        var uploads = await FormsAsync(server, session);

        fail(disk);

        foreach (var again in uploads)
            Refuses(await again(), refused);
        Refuses(await server.Client.PostAsync("upload-sessions"), refused);
        Assert.NotEmpty((string)Refuses(await server.ClientOf(null).GetAsync("/readyz"), refused).Json["problems"]![0]!["detail"]!);

        (await server.Client.GetAsync("uploads")).Expect(HttpStatusCode.OK);
        (await server.Client.GetAsync($"uploads/{upload["id"]}/download")).Expect(HttpStatusCode.OK);
        // A key whose use has never been noted, and a page that nobody has opened yet.
        (await server.ClientOf((string)installation["keys"]!["test"]!).GetAsync("stats")).Expect(HttpStatusCode.OK);
        (await server.ClientOf(null).GetAsync($"/u/{unopened}")).Expect(HttpStatusCode.OK);
        (await server.ClientOf(null).GetAsync($"upload/{session}/session")).Expect(HttpStatusCode.OK);

        if (heal is null)
            return;
        heal(disk);
        await server.Client.UploadAsync(session, Photos.Jpeg(300_000, seed: 3));
        Assert.Equal(2, (int)(await server.Client.GetAsync("stats")).Json["imagesUploaded"]!);
    }

    /// <summary>A photo in each form that one may come in.</summary>
    private static async Task<IReadOnlyList<Func<Task<Answer>>>> FormsAsync(AperturProcess server, string session)
    {
        var publicKey = (string)(await server.ClientOf(null).GetAsync("encryption/server-key")).Json["publicKey"]!;
        var envelope = Sealed.Here(publicKey, Photos.Jpeg(300_000, seed: 4));
        return
        [
            () => server.Client.PostImageAsync(session, Photos.Jpeg(300_000, seed: 1)),
            () => server.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", envelope, ("X-Aptr-Encrypted", "default")),
            () => server.Client.PostImageAsync(session, envelope.Bytes(), "photo.enc", null, ("X-Aptr-Encrypted", "default")),
            async () =>
            {
                using var form = new MultipartFormDataContent();
                using var file = new ByteArrayContent(Photos.Jpeg(300_000, seed: 2));
                form.Add(file, "file", "photo.jpg");
                return await server.ClientOf(null).SendAsync(HttpMethod.Post, $"/u/{session}", form);
            },
        ];
    }

    private static Answer Refuses(Answer answer, HttpStatusCode refused)
    {
        answer.Expect(refused);
        Assert.True(refused == HttpStatusCode.InsufficientStorage || answer.Headers.RetryAfter is not null);
        return answer;
    }

    private static void Limit(AperturProcess server, int descriptors)
    {
        using var prlimit = Process.Start(Components.Program("prlimit"), [$"--pid={server.Id}", $"--nofile={descriptors}:"]);
        prlimit.WaitForExit();
        Assert.Equal(0, prlimit.ExitCode);
    }
}
