using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using static Apertur.Tests.Destinations.Cloud;

namespace Apertur.Tests.Destinations;

public sealed class GoogleDriveDestinationTests : IAsyncLifetime
{
    private const string Create = "POST /upload/drive/v3/files";
    private const string Session = "PUT /upload/drive/v3/files";
    private const string FolderSearch = "GET /drive/v3/files?q=name";
    private const string MakeFolder = "POST /drive/v3/files";

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private FakeGoogle _google = null!;
    private GoogleDriveDestination _drive = null!;
    private string _token = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _google = await FakeGoogle.StartAsync();
        _token = _google.OAuth.IssueAccessToken();
        _drive = Drive(_http, _google);
    }

    public async ValueTask DisposeAsync()
    {
        await _google.DisposeAsync();
        _http.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Small)]
    [InlineData(5 * 1024 * 1024)]
    [InlineData(Large)]
    public async Task An_image_arrives_whole_with_its_name_and_type(int size)
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), size, "O'Brien \\ Küche.jpg"));
        var accepted = Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());

        var file = Assert.Single(_google.Files);
        Assert.Equal(file.Id, accepted.Reference);
        Assert.Equal($"Apertur/2026-06-12/{attempts.Delivery.SessionId}/2-O'Brien _ Küche.jpg", _google.PathOf(file));
        Assert.Equal("image/jpeg", (string?)file.Resource["mimeType"]);
        Assert.Equal(Sample.Bytes(attempts.Delivery), file.Bytes);
    }

    [Fact]
    public async Task Hash_of_what_was_sent_is_a_property_of_the_file()
    {
        Is<DeliveryOutcome.Accepted>(await new Attempts(_drive, Sample.Delivery(Config()) with { OriginalSha256 = Sample.OriginalSha256 }).NextAsync());

        Assert.Equal(Sample.OriginalSha256, (string?)Assert.Single(_google.Files).Resource["appProperties"]!["aperturOriginalSha256"]);
    }

    [Fact]
    public async Task Words_of_the_sender_describe_the_file()
    {
        Is<DeliveryOutcome.Accepted>(await new Attempts(_drive, Sample.Delivery(Config()) with { Answers = Sample.Answers, Caption = Sample.Caption }).NextAsync());

        Assert.Equal($"{Sample.Caption}\nname: Ann  Ødegård\nnote: two\nlines", (string?)Assert.Single(_google.Files).Resource["description"]);
    }

    [Theory]
    [InlineData(Small, true)]
    [InlineData(Large, true)]
    [InlineData(Small, false)]
    [InlineData(Large, false)]
    public async Task The_same_delivery_twice_leaves_one_file(int size, bool keepsResume)
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), size));
        var first = Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        var second = Is<DeliveryOutcome.Accepted>(keepsResume
            ? await attempts.NextAsync()
            : await DeliverAsync(attempts.Delivery with { Resume = null }));
        Assert.Equal(first.Reference, second.Reference);
        Assert.Single(_google.Files);
    }

    [Theory]
    [InlineData(Create, Small)]
    [InlineData(Session, Large)]
    public async Task A_lost_answer_leaves_one_file(string line, int size)
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), size));
        _google.LoseAnswer(line);
        if (await attempts.NextAsync() is not DeliveryOutcome.Accepted)
            Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Files).Bytes);
    }

    [Fact]
    public async Task Two_workers_with_one_delivery_leave_one_file()
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Small));
        _google.Refuse(Create, 500);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => attempts.NextAsync()));
        Assert.All(outcomes, outcome => Is<DeliveryOutcome.Accepted>(outcome));
        Assert.Single(_google.Files);
    }

    [Fact]
    public async Task A_cut_upload_goes_on_where_it_stopped()
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Large));
        _google.CutBody(Session, after: 3_000_000);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Files).Bytes);
        Assert.Equal(1, _google.Count(Create));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    public async Task A_session_that_ends_under_way_is_no_verdict_on_folder_or_image(int status)
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Large));
        _google.Refuse(Session, status);
        _google.Refuse(Session, status);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Files).Bytes);
    }

    [Fact]
    public async Task A_later_attempt_goes_on_in_the_session_of_the_earlier_one()
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Large));
        _google.On(Session, async (_, next) => await next());
        _google.RefuseBecause(Session, 403, "userRateLimitExceeded");
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(1, _google.Count(Create));
        Assert.Equal(1, _google.Count("generateIds"));
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Files).Bytes);
    }

    [Fact]
    public async Task A_file_with_another_digest_is_taken_away_and_sent_again()
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Small));
        var broken = attempts.Delivery with { Sha256 = new string('0', 64) };
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(broken));
        Assert.Empty(_google.Files);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Single(_google.Files);
    }

    [Fact]
    public async Task Files_of_one_path_share_its_folders()
    {
        for (var i = 0; i < 3; i++)
            Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config(("folder", "/Photos/Site A/")))));
        Assert.Equal(3, _google.Files.Count);
        Assert.Single(_google.Folders, folder => _google.PathOf(folder) == "Photos/Site A/2026-06-12");
        Assert.Equal(3, _google.Folders.Count(folder => folder.Parent != _google.Folders[0].Parent && folder.Name.Length == 36));
    }

    [Fact]
    public async Task A_folder_is_looked_up_once_for_many_images()
    {
        var config = Config(("nameTemplate", "{date}/{id}.jpg"));
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => DeliverAsync(Sample.Delivery(config))));
        Assert.All(outcomes, outcome => Is<DeliveryOutcome.Accepted>(outcome));
        Assert.Equal(2, _google.Count(MakeFolder));
        Assert.Equal(2, _google.Folders.Count);
    }

    [Fact]
    public async Task A_folder_that_was_deleted_is_made_anew()
    {
        var config = Config(("nameTemplate", "{id}.jpg"));
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(config)));
        _google.Delete(Assert.Single(_google.Folders).Id);

        var attempts = new Attempts(_drive, Sample.Delivery(config));
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Assert.Single(_google.Folders).Id, _google.Files[^1].Parent);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_folder_above_that_was_deleted_is_made_anew(int depth)
    {
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config())));
        _google.Delete(_google.Folders[depth].Id);

        // Another session: its own folder is not known yet, those above are.
        var attempts = new Attempts(_drive, Sample.Delivery(Config()));
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.StartsWith($"Apertur/2026-06-12/{attempts.Delivery.SessionId}/", _google.PathOf(_google.Files[^1]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_image_goes_into_the_trash_with_its_folder()
    {
        var config = Config(("nameTemplate", "{id}.jpg"));
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(config)));
        _google.Trash(Assert.Single(_google.Folders).Id);

        var attempts = new Attempts(_drive, Sample.Delivery(config));
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(2, _google.Files.Count);
        Assert.Equal(_google.Folders.Single(folder => !(bool)folder.Resource["trashed"]!).Id, _google.Files[^1].Parent);
    }

    [Fact]
    public async Task A_folder_that_two_servers_make_at_once_is_one_in_the_end()
    {
        var other = Drive(_http, _google);
        using var both = HoldUntilTwoMakeAFolder();
        var config = Config(("folder", "Shared"), ("nameTemplate", "{id}.jpg"));
        var outcomes = await Task.WhenAll(
            DeliverAsync(Sample.Delivery(config)), other.DeliverAsync(Sample.Delivery(config), Cancellation));

        Assert.All(outcomes, outcome => Is<DeliveryOutcome.Accepted>(outcome));
        Assert.Equal(2, _google.Count(MakeFolder));
        var folder = Assert.Single(_google.Folders);
        Assert.Equal([folder.Id, folder.Id], _google.Files.Select(file => file.Parent));
    }

    [Fact]
    public async Task A_photo_that_comes_into_the_younger_of_two_folders_brings_it_back()
    {
        var (other, third) = (Drive(_http, _google), Drive(_http, _google));
        using var both = HoldUntilTwoMakeAFolder();
        var config = Config(("folder", "Shared"), ("nameTemplate", "{id}.jpg"));
        string? younger = null;
        _google.On("PATCH /drive/v3/files/", async (context, next) =>
        {
            // It was empty when that was looked up. Now a third server comes, whose search does not list the older one yet.
            younger = context.Request.Path.Value!.Split('/')[^1];
            _google.On(FolderSearch, (search, _) => search.Response.WriteAsJsonAsync(new { files = new[] { new { id = younger } } }));
            Is<DeliveryOutcome.Accepted>(await third.DeliverAsync(Sample.Delivery(config), Cancellation));
            await next();
        });
        Assert.All(
            await Task.WhenAll(DeliverAsync(Sample.Delivery(config)), other.DeliverAsync(Sample.Delivery(config), Cancellation)),
            outcome => Is<DeliveryOutcome.Accepted>(outcome));

        Assert.Equal(3, _google.Files.Count);
        Assert.Contains(_google.Folders, folder => folder.Id == younger);
    }

    [Fact]
    public async Task An_id_whose_file_was_deleted_for_good_is_replaced()
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Small));
        _google.LoseAnswer(Create);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        _google.Delete(Assert.Single(_google.Files).Id);

        // Drive gives no id out twice.
        _google.RefuseBecause(Create, 409, "fileIdInUse");
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Single(_google.Files);
        Assert.Equal(2, _google.Count("generateIds"));
    }

    [Fact]
    public async Task Sessions_that_begin_together_make_the_folder_of_the_day_once()
    {
        var config = Config(("nameTemplate", "{date}/{session}/{id}.jpg"));
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => DeliverAsync(Sample.Delivery(config))));
        Assert.All(outcomes, outcome => Is<DeliveryOutcome.Accepted>(outcome));
        Assert.Equal(10, _google.Count(MakeFolder));
        Assert.Equal(10, _google.Folders.Count);
    }

    [Fact]
    public async Task A_folder_by_id_is_used_as_it_is()
    {
        var folder = _google.MakeFolder("Made by a person");
        var delivery = Sample.Delivery(Config(("folderId", folder), ("nameTemplate", "{id}.{ext}")));
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        Assert.Equal(folder, Assert.Single(_google.Files).Parent);
        Assert.Equal($"{delivery.ImageId}.jpg", _google.Files[0].Name);
        Assert.Single(_google.Folders);
    }

    [Theory]
    [InlineData("{id}.jpg")]
    [InlineData("{date}/{id}.jpg")]
    public async Task A_folder_that_does_not_exist_breaks_the_destination(string template)
    {
        var config = Config(("folderId", "gone"), ("nameTemplate", template));
        Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(config)));
        Is<DeliveryOutcome.Broken>(await _drive.TestAsync(config, Cancellation));
    }

    [Theory]
    [InlineData(Create, 403, "rateLimitExceeded", null)]
    [InlineData(Create, 403, "userRateLimitExceeded", 9)]
    [InlineData(Create, 403, "sharingRateLimitExceeded", 9)]
    [InlineData(Create, 403, "dailyLimitExceeded", 3600)]
    [InlineData(Create, 429, "rateLimitExceeded", 11)]
    [InlineData(MakeFolder, 429, "rateLimitExceeded", 11)]
    [InlineData("generateIds", 500, "backendError", null)]
    [InlineData(FolderSearch, 503, "backendError", 4)]
    public async Task A_busy_service_is_tried_again_when_it_says(string line, int status, string reason, int? after)
    {
        var attempts = new Attempts(_drive, Sample.Delivery(Config(), Small));
        _google.RefuseBecause(line, status, reason, after);
        var outcome = Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Assert.Equal(status, outcome.Status);
        Assert.Equal(after, outcome.After?.TotalSeconds);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Single(_google.Files);
    }

    [Theory]
    [InlineData("storageQuotaExceeded", "is full")]
    [InlineData("quotaExceeded", "is full")]
    [InlineData("teamDriveFileLimitExceeded", "is full")]
    [InlineData("activeItemCreationLimitExceeded", "is full")]
    [InlineData("numChildrenInNonRootLimitExceeded", "as many files as Google Drive allows")]
    [InlineData("insufficientFilePermissions", "may not write")]
    [InlineData("accessNotConfigured", "not enabled")]
    public async Task A_refusal_that_only_the_owner_can_end_breaks_the_destination(string reason, string words)
    {
        _google.RefuseBecause(Create, 403, reason);
        var outcome = Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config(), Small)));
        Assert.Contains(words, outcome.Reason, StringComparison.Ordinal);
        Assert.Equal(403, outcome.Status);
    }

    [Fact]
    public async Task An_image_that_is_too_large_for_the_service_is_not_sent_again()
    {
        _google.Refuse(Create, 413);
        Assert.Equal(413, Is<DeliveryOutcome.GiveUp>(await DeliverAsync(Sample.Delivery(Config(), Small))).Status);
    }

    [Fact]
    public async Task An_expired_token_says_so_by_its_status()
    {
        _google.OAuth.Expire();
        Assert.Equal(401, Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config()))).Status);
        Assert.Equal(401, Is<DeliveryOutcome.TryAgain>(await TestAsync()).Status);
    }

    [Fact]
    public async Task Without_a_connection_nothing_is_asked()
    {
        _token = null!;
        var outcome = Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config())));
        Assert.Contains("connect", outcome.Reason, StringComparison.Ordinal);
        Assert.Empty(_google.Requests);
    }

    [Fact]
    public async Task Without_a_client_the_type_says_that_it_is_not_configured()
    {
        var unconfigured = new GoogleDriveDestination(_http, new() { DriveApi = _google.Root }, TimeProvider.System);
        Assert.Null(unconfigured.OAuth);
        // No owner can help, so nothing waits for one.
        var outcome = Is<DeliveryOutcome.TryAgain>(await unconfigured.TestAsync(Config(), Cancellation));
        Assert.Contains("not configured", outcome.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_test_leaves_neither_folder_nor_file_nor_session()
    {
        Is<DeliveryOutcome.Accepted>(await TestAsync());
        Assert.Empty(_google.Files);
        Assert.Empty(_google.Folders);
        Assert.Equal(0, _google.OpenSessions);
        Assert.Equal(1, _google.Count(Create));
    }

    internal static GoogleDriveDestination Drive(OutboundHttp http, FakeGoogle google)
    {
        var settings = new DestinationSettings { DriveApi = google.Root };
        var client = Client(settings.GoogleDrive, google.Root, "o/oauth2/v2/auth", "token");
        return new(http, settings with { GoogleDrive = client }, TimeProvider.System);
    }

    internal static OAuthClient Client(OAuthClient real, Uri root, string authorize, string token) => real with
    {
        ClientId = FakeOAuth.ClientId,
        ClientSecret = FakeOAuth.ClientSecret,
        AuthorizeEndpoint = new Uri(root, authorize),
        TokenEndpoint = new Uri(root, token),
    };

    /// <summary>Both servers have looked before either has made the folder.</summary>
    private Barrier HoldUntilTwoMakeAFolder()
    {
        var both = new Barrier(2);
        for (var i = 0; i < 2; i++)
        {
            _google.On(MakeFolder, async (_, next) =>
            {
                await Task.Run(() => both.SignalAndWait(TimeSpan.FromSeconds(20)));
                await next();
            });
        }

        return both;
    }

    private Task<DeliveryOutcome> DeliverAsync(Delivery delivery) => _drive.DeliverAsync(delivery, Cancellation);

    private Task<DeliveryOutcome> TestAsync() => _drive.TestAsync(Config(), Cancellation);

    private DestinationConfig Config(params (string Name, string Value)[] values) => Sample.Config(
        _drive, new JsonObject(values.Select(value => KeyValuePair.Create(value.Name, (JsonNode?)value.Value))), _token);
}
