using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>What the server answers when its disk fails: for uploads in all their forms, for other writes, and for reads, which go on.</summary>
public sealed class DiskFaultTests(ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

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

    [Fact]
    public async Task Crowd_of_connections_leaves_descriptors_for_those_who_were_there_before()
    {
        using var data = new TempFolder();
        await using var server = await AperturProcess.ServeAsync(
            data.Path, await AperturProcess.InitAsync(data.Path), Components.Program("prlimit"), "--nofile=1024:1024");
        var session = await server.Client.CreateSessionAsync();
        var crowd = new List<Socket>();
        for (var i = 0; i < 1100; i++)
            crowd.Add(await ConnectAsync(server));

        Assert.False(await IsHeardAsync(server));
        await server.Client.UploadAsync(session, Photos.Jpeg(300_000, seed: 1));
        crowd.ForEach(socket => socket.Dispose());
        await Eventually.Becomes(() => IsHeardAsync(server), isHeard => isHeard);
    }

    /// <summary>Photos on a disk of their own that fails again and again while some wait to be delivered; see chaos/README.md.</summary>
    [Theory(Explicit = true)]
    [InlineData("full", HttpStatusCode.InsufficientStorage, true)]
    [InlineData("read-only", HttpStatusCode.ServiceUnavailable, true)]
    [InlineData("over quota", HttpStatusCode.InsufficientStorage, false)]
    public async Task Figures(string fault, HttpStatusCode refused, bool delivers)
    {
        var photos = int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS") ?? "250", CultureInfo.InvariantCulture);
        const int Waiting = 100;
        using var disk = SmallDisk.Mount(megabytes: 300);
        using var data = new TempFolder();
        var images = Path.Combine(disk.Path, "images");
        Directory.CreateDirectory(images);
        Directory.CreateSymbolicLink(data.File("images"), images);
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        var goes = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver.Otherwise = async context =>
        {
            await receiver.ReadAsync(context);
            await goes.Task;
        };
        await using var server = await AperturProcess.ServeAsync(data.Path, await AperturProcess.InitAsync(data.Path));
        var webhook = await server.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
        var session = await server.Client.CreateSessionAsync(new JsonObject
        {
            ["destination_ids"] = new JsonArray(webhook),
            ["max_images"] = 500,
        });
        var uploads = await FormsAsync(server, session);
        for (var seed = 0; seed < Waiting; seed++)
            await server.Client.UploadAsync(session, Photos.Jpeg(100_000, seed));
        var before = Directory.GetFiles(images, "*", SearchOption.AllDirectories).Order().ToList();

        var heal = Environment.GetEnvironmentVariable("CHAOS_WITHOUT_FAULT") is { Length: > 0 } ? () => { } : Break(fault, server, disk);
        goes.SetResult();
        for (var photo = 0; photo < photos; photo++)
            Refuses(await uploads[photo % uploads.Count](), refused);
        if (delivers)
            await DeliveredAsync(Waiting);
        var meanwhile = await DeliveredAsync();
        heal();
        var healed = Stopwatch.GetTimestamp();
        await server.Client.UploadAsync(session, Photos.Jpeg(300_000, seed: 1000));
        var taken = Stopwatch.GetElapsedTime(healed);
        await DeliveredAsync(Waiting + 1);
        var (exitCode, said, errors) = await AperturProcess.RunAsync("fsck", "--hashes", "--data", data.Path);
        Assert.True(exitCode == 0, said + errors);
        var left = Directory.GetFiles(images, "*", SearchOption.AllDirectories).Except(before).Count() - 1;
        output.WriteLine(
            $"> {fault}: {photos} of {photos} photos refused with {(int)refused}{(refused == HttpStatusCode.ServiceUnavailable ? " and Retry-After" : "")}, {left} files left behind; "
            + $"{meanwhile} of {Waiting} waiting ones delivered meanwhile, all afterwards; the next was taken {taken.TotalMilliseconds:F0} ms after the end");
        Assert.Equal(0, left);

        async Task<int> DeliveredAsync(int all = 0)
        {
            var began = Stopwatch.GetTimestamp();
            while (true)
            {
                var delivered = (int)(await server.Client.GetAsync("stats")).Expect(HttpStatusCode.OK).Json["imagesDelivered"]!;
                if (delivered >= all)
                    return delivered;
                Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(3), $"{delivered} of {all} are delivered.");
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancellation);
            }
        }
    }

    /// <summary>Makes it so, and gives what ends it.</summary>
    private static Action Break(string fault, AperturProcess server, SmallDisk disk)
    {
        switch (fault)
        {
            case "full":
                disk.Fill();
                return disk.Free;
            case "read-only":
                disk.MakeReadOnly(true);
                return () => disk.MakeReadOnly(false);
            default:
                // The user's share of the whole disk: no file takes another byte, the database's no more than the photos'.
                var strace = Process.Start(new ProcessStartInfo(
                    Components.Program("strace"),
                    ["-f", "-q", "-o", "/dev/null", "-e", "trace=pwrite64,pwritev", "-e", "inject=pwrite64,pwritev:error=EDQUOT", "-p", $"{server.Id}"])
                { RedirectStandardError = true })!;
                while (Directory.GetDirectories($"/proc/{server.Id}/task").Any(thread =>
                    !File.ReadAllLines(Path.Combine(thread, "status")).Contains($"TracerPid:\t{strace.Id}")))
                    Thread.Yield();
                return () =>
                {
                    Process.Start("kill", ["-INT", $"{strace.Id}"]).WaitForExit();
                    strace.WaitForExit();
                    strace.Dispose();
                };
        }
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

    private static async Task<Socket> ConnectAsync(AperturProcess server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", new Uri(server.Url).Port, Cancellation);
        return socket;
    }

    /// <summary>Whether a new connection gets an answer.</summary>
    private static async Task<bool> IsHeardAsync(AperturProcess server)
    {
        using var socket = await ConnectAsync(server);
        try
        {
            await socket.SendAsync("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), Cancellation);
            return await socket.ReceiveAsync(new byte[100], Cancellation) > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
