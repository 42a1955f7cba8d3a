using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Fetching;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Fetching;

/// <summary>Photos that people pick at a provider: the server fetches them with what its picker gave, and keeps nothing of that.</summary>
public sealed class CloudSourceTests
{
    private static readonly (string Source, string Address, bool NeedsToken)[] _providers =
    [
        ("dropbox", "https://dl.dropboxusercontent.com/1/view/abc/roof.jpg", false),
        ("google_drive", "https://www.googleapis.com/drive/v3/files/roof.jpg?alt=media&supportsAllDrives=true", true),
        ("google_photos", "https://lh3.googleusercontent.com/ppa/roof.jpg=d", true),
        ("onedrive", "https://my.microsoftpersonalcontent.com/_api/v2.0/drives/b!1/items/roof.jpg/content", true),
        ("box", "https://api.box.com/2.0/files/roof.jpg/content", true),
    ];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photo_is_fetched_with_its_token_which_stays_nowhere(DatabaseKind database)
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var said = new StringBuilder();
        foreach (var (source, address, needsToken) in _providers)
        {
            var request = Request(source, pickers.Here(address), needsToken ? FakePickers.Token : null);
            request["filename"] = "The roof.jpg";
            var answer = (await FetchTests.FetchAsync(app, session, request, ("Idempotency-Key", source))).Expect(HttpStatusCode.Created);
            var row = await app.Client.GetAsync($"uploads/{(string)answer.Json["id"]!}");
            Assert.Equal((source, "The roof.jpg"), ((string)row.Json["source"]!, (string)row.Json["filename"]!));
            Assert.Equal(needsToken ? $"Bearer {FakePickers.Token}" : null, pickers.Asked[^1].Authorization);

            // The token is not part of what is asked for: whoever asks again may have a new one.
            var asked = pickers.Asked.Count;
            if (needsToken)
                request["access_token"] = "another";
            var again = (await FetchTests.FetchAsync(app, session, request, ("Idempotency-Key", source))).Expect(HttpStatusCode.Created);
            Assert.Equal((answer.Text, asked), (again.Text, pickers.Asked.Count));
            said.Append(answer.Text).Append(row.Text);

            // One that is refused is told to nobody either.
            pickers.Files.Remove("roof.jpg", out var photo);
            said.Append((await FetchTests.FetchAsync(app, session, request)).Expect(HttpStatusCode.UnprocessableEntity).Text);
            pickers.Files["roof.jpg"] = photo!;
        }

        Assert.DoesNotContain(FakePickers.Token, said.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains(FakePickers.Token, StringComparison.Ordinal));
        foreach (var file in Directory.GetFiles(app.DataFolder, "*", SearchOption.AllDirectories))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            Assert.DoesNotContain(FakePickers.Token, await reader.ReadToEndAsync(Cancellation), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Token_goes_to_no_other_host_and_along_with_no_redirect()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var foreign = await Receiver.StartAsync();
        await using var app = await pickers.ServeAsync();
        var session = await app.Client.CreateSessionAsync();
        var elsewhere = new Uri(foreign.Url).GetLeftPart(UriPartial.Authority);
        var seen = new List<string?>();
        foreign.Otherwise = async context =>
        {
            seen.Add(context.Request.Headers.Authorization);
            if (context.Request.Path == "/back")
                context.Response.Redirect($"{pickers.Root}/roof.jpg");
            else
                await context.Response.Body.WriteAsync(Photos.Jpeg(), Cancellation);
        };

        foreach (var (source, _, needsToken) in _providers)
        {
            var refused = (await FetchTests.FetchAsync(app, session, Request(source, $"{elsewhere}/roof.jpg", needsToken ? FakePickers.Token : null))).Expect(HttpStatusCode.BadRequest);
            Assert.Equal("url", (string)refused.Json["errors"]!.AsArray().Single()!["field"]!);
        }

        Assert.Empty(seen);

        // Within the provider's host it goes on; what leads out of it is followed where the provider hands photos out anywhere, and without it.
        var shown = new List<string?>();
        pickers.Instead = context =>
        {
            shown.Add(context.Request.Headers.Authorization);
            context.Response.Redirect(context.Request.Path == "/first" ? "/second" : $"{elsewhere}{(shown.Count > 4 ? "/back" : "/roof.jpg")}");
            return Task.CompletedTask;
        };
        foreach (var source in new[] { "google_drive", "google_photos" })
        {
            var refused = await FetchTests.FetchAsync(app, session, Request(source, $"{pickers.Root}/roof.jpg", FakePickers.Token));
            Assert.Equal("SOURCE_UNREACHABLE", (string)refused.Json["code"]!);
        }

        Assert.Empty(seen);
        (await FetchTests.FetchAsync(app, session, Request("onedrive", $"{pickers.Root}/first", FakePickers.Token))).Expect(HttpStatusCode.Created);
        Assert.Equal([null], seen);
        Assert.All(shown, authorization => Assert.Equal($"Bearer {FakePickers.Token}", authorization));
        Assert.Equal(4, shown.Count);

        // It does not come back with it.
        await FetchTests.FetchAsync(app, session, Request("onedrive", $"{pickers.Root}/roof.jpg", FakePickers.Token));
        Assert.All(seen, Assert.Null);
        Assert.Equal([$"Bearer {FakePickers.Token}", null], shown[4..6]);
    }

    [Fact]
    public async Task What_does_not_fit_its_source_is_refused()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var session = await app.Client.CreateSessionAsync();
        foreach (var (source, address, token) in new[]
        {
            ("url", _providers[0].Address, FakePickers.Token), ("dropbox", _providers[0].Address, FakePickers.Token), ("google_drive", _providers[1].Address, null),
            ("google_photos", _providers[2].Address, ""), ("onedrive", _providers[3].Address, "a b"), ("onedrive", _providers[3].Address, "a\nX-Other: b"),
            ("onedrive", _providers[3].Address, new string('a', 8193)),
        })
        {
            var refused = (await FetchTests.FetchAsync(app, session, Request(source, pickers.Here(address), token))).Expect(HttpStatusCode.BadRequest);
            Assert.Equal("access_token", (string)refused.Json["errors"]!.AsArray().Single()!["field"]!);
        }

        foreach (var source in new[] { "instagram", "camera" })
        {
            var refused = (await FetchTests.FetchAsync(app, session, Request(source, pickers.Here(_providers[1].Address), FakePickers.Token))).Expect(HttpStatusCode.Forbidden);
            Assert.Equal("SOURCE_NOT_OFFERED", (string)refused.Json["code"]!);
        }

        // What clients say of a photo that they send is another matter.
        (await app.Client.PostImageAsync(session, Photos.Png(), source: "instagram")).Expect(HttpStatusCode.Created);
        Assert.Empty(pickers.Asked);
    }

    [Fact]
    public async Task Provider_without_ids_is_not_offered()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = (await app.ClientOf(null).GetAsync($"/u/{session}?lang=en")).Text;
        foreach (var (source, address, needsToken) in _providers)
        {
            var refused = (await FetchTests.FetchAsync(app, session, Request(source, address, needsToken ? FakePickers.Token : null))).Expect(HttpStatusCode.Forbidden);
            Assert.Equal("SOURCE_NOT_OFFERED", (string)refused.Json["code"]!);
            Assert.DoesNotContain(source, page, StringComparison.Ordinal);
            (await app.ClientOf(null).GetAsync($"/u/{session}/pick/{source}")).Expect(HttpStatusCode.Forbidden);
        }
    }

    [Theory]
    [InlineData("dropbox", "https://uc1.dl.dropboxusercontent.com/a.jpg", true)]
    [InlineData("dropbox", "https://dl.dropboxusercontent.com.evil.example/a.jpg", false)]
    [InlineData("dropbox", "https://evil-dropboxusercontent.com/a.jpg", false)]
    [InlineData("dropbox", "http://dl.dropboxusercontent.com/a.jpg", false)]
    [InlineData("dropbox", "https://dl.dropboxusercontent.com:8443/a.jpg", false)]
    [InlineData("google_drive", "https://WWW.googleapis.com/drive/v3/files/1?alt=media", true)]
    [InlineData("google_drive", "https://storage.googleapis.com/anybody/a.jpg", false)]
    [InlineData("google_drive", "https://www.googleapis.com./drive/v3/files/1", false)]
    [InlineData("google_photos", "https://lh3.googleusercontent.com/ppa/1=d", true)]
    [InlineData("google_photos", "https://script.googleusercontent.com/anybody", false)]
    [InlineData("onedrive", "https://api.onedrive.com/v1.0/drives/1/items/2/content", true)]
    [InlineData("onedrive", "https://1drv.ms/anybody", false)]
    [InlineData("box", "https://api.box.com/2.0/files/1/content", true)]
    [InlineData("box", "https://app.box.com/anybody", false)]
    public void Only_hosts_of_the_provider_hold_its_photos(string source, string address, bool holds)
    {
        using var folder = new TempFolder();
        Assert.Equal(holds, new CloudSources(Settings.Load(folder.Path, FakePickers.Settings)).Find(source)!.Holds(new Uri(address)));
    }

    [Theory]
    [InlineData("Sources:Dropbox:AppKey", "a key'; script-src *", "Sources:Dropbox:AppKey")]
    [InlineData("Sources:GoogleDrive:ClientId", "1-a.apps.googleusercontent.com", "ApiKey and AppId")]
    public void Ids_that_cannot_be_are_told_at_the_start(string setting, string value, string words)
    {
        using var folder = new TempFolder();
        var problem = Assert.Throws<InvalidOperationException>(() => Settings.Load(folder.Path, new Dictionary<string, string?> { [setting] = value }));
        Assert.Contains(words, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Token_of_a_code_is_asked_for_where_it_takes_a_secret_and_kept_nowhere()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var session = await app.Client.CreateSessionAsync();

        var given = (await AskAsync(session, "box", "c1")).Expect(HttpStatusCode.OK);
        Assert.Equal((FakePickers.Token, "no-store"), (given.Text, given["Cache-Control"]));
        Assert.Equal("SOURCE_REFUSED", (string)(await AskAsync(session, "box", "made up")).Expect(HttpStatusCode.UnprocessableEntity).Json["code"]!);
        (await AskAsync(session, "box", "")).Expect(HttpStatusCode.BadRequest);
        (await AskAsync(session, "onedrive", "c1")).Expect(HttpStatusCode.Forbidden);
        (await AskAsync(await app.Client.CreateSessionAsync(new JsonObject { ["camera_only"] = true }), "box", "c1")).Expect(HttpStatusCode.Forbidden);
        Assert.DoesNotContain(FakePickers.Secret, (await app.ClientOf(null).GetAsync($"/u/{session}/pick/box")).Expect(HttpStatusCode.OK).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains(FakePickers.Token, StringComparison.Ordinal) || line.Contains("c1", StringComparison.Ordinal));

        Task<Answer> AskAsync(string id, string source, string code) => app.ClientOf(null).SendAsync(
            HttpMethod.Post, $"/u/{id}/pick/{source}", new FormUrlEncodedContent(new Dictionary<string, string> { ["code"] = code }));
    }

    private static JsonObject Request(string source, string address, string? token)
    {
        var request = new JsonObject { ["url"] = address, ["source"] = source };
        if (token is not null)
            request["access_token"] = token;
        return request;
    }
}
