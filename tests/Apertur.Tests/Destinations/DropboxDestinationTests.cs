using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using static Apertur.Tests.Destinations.Cloud;

namespace Apertur.Tests.Destinations;

public sealed class DropboxDestinationTests : IAsyncLifetime
{
    private const string Upload = "POST /2/files/upload";
    private const string Start = "POST /2/files/upload_session/start";
    private const string Append = "POST /2/files/upload_session/append_v2";
    private const string Finish = "POST /2/files/upload_session/finish";

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private FakeDropbox _service = null!;
    private DropboxDestination _dropbox = null!;
    private string _token = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await FakeDropbox.StartAsync();
        _token = _service.OAuth.IssueAccessToken();
        _dropbox = Dropbox(_http, _service);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        _http.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Small)]
    [InlineData(8 * 1024 * 1024)]
    [InlineData(16 * 1024 * 1024)]
    [InlineData(Large)]
    public async Task An_image_arrives_whole_under_its_path(int size)
    {
        var delivery = Sample.Delivery(Config(), size, "Küche „1“ 😀.jpg");
        var accepted = Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        var file = Assert.Single(_service.Files);
        Assert.Equal($"/Apertur/2026-06-12/{delivery.SessionId}/2-Küche „1“ 😀.jpg", file.Path);
        Assert.Equal(file.Path, accepted.Reference);
        Assert.Equal(Sample.Bytes(delivery), file.Bytes);
    }

    [Theory]
    [InlineData("/", "/")]
    [InlineData("Photos/Site A/", "/Photos/Site A/")]
    [InlineData("//Photos// Site A ", "/Photos/Site A/")]
    public async Task A_folder_is_taken_however_its_slashes_stand(string folder, string start)
    {
        var delivery = Sample.Delivery(Config(("folder", folder), ("nameTemplate", "{id}.jpg")));
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        Assert.Equal($"{start}{delivery.ImageId}.jpg", Assert.Single(_service.Files).Path);
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task The_same_delivery_twice_leaves_one_file(int size)
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), size));
        var first = Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(first.Reference, Is<DeliveryOutcome.Accepted>(await attempts.NextAsync()).Reference);
        var forgetful = await DeliverAsync(attempts.Delivery with { Resume = null });
        Assert.Equal(first.Reference, Is<DeliveryOutcome.Accepted>(forgetful).Reference);
        Assert.Single(_service.Files);
    }

    [Theory]
    [InlineData(Upload, Small)]
    [InlineData(Append, Large)]
    [InlineData(Finish, Large)]
    public async Task A_lost_answer_leaves_one_file(string line, int size)
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), size));
        _service.LoseAnswer(line);
        if (await attempts.NextAsync() is not DeliveryOutcome.Accepted)
            Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_service.Files).Bytes);
    }

    [Theory]
    [InlineData(Append)]
    [InlineData(Finish)]
    public async Task A_cut_upload_goes_on_where_it_stopped(string line)
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), Large));
        _service.CutBody(line, after: 3_000_000);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_service.Files).Bytes);
        Assert.Equal(1, _service.Count(Start));
    }

    [Fact]
    public async Task A_wrong_offset_is_corrected()
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), Large));
        _service.RefuseBecause(Append, new JsonObject { [".tag"] = "incorrect_offset", ["correct_offset"] = 0 });
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_service.Files).Bytes);
    }

    [Fact]
    public async Task A_service_that_keeps_nothing_is_not_asked_for_ever()
    {
        for (var i = 0; i < 20; i++)
            _service.RefuseBecause(Append, new JsonObject { [".tag"] = "incorrect_offset", ["correct_offset"] = 0 });
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Large)));
        Assert.InRange(_service.Count(Append), 1, 5);
    }

    [Fact]
    public async Task A_later_attempt_goes_on_in_the_session_of_the_earlier_one()
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), Large));
        _service.Refuse(Finish, 503, retryAfterSeconds: 9);
        Assert.Equal(TimeSpan.FromSeconds(9), Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync()).After);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(1, _service.Count(Start));
        // Two pieces, the question, and the last piece again.
        Assert.Equal(3, _service.Count(Append));
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_service.Files).Bytes);
    }

    [Fact]
    public async Task A_session_that_has_ended_is_replaced()
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), Large));
        _service.Refuse(Finish, 500);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        _service.ForgetSessions();
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_service.Files).Bytes);
    }

    [Fact]
    public async Task A_session_that_was_closed_is_replaced()
    {
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(), Large));
        _service.Refuse(Finish, 500);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        _service.RefuseBecause(Append, new JsonObject { [".tag"] = "closed" });
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(2, _service.Count(Start));
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task Another_image_of_that_name_stays_and_this_one_gets_another(int size)
    {
        var delivery = Sample.Delivery(Config(), size);
        // Dropbox takes names of another case for the same.
        var taken = $"/APERTUR/2026-06-12/{delivery.SessionId}/2-img_0001.JPG";
        _service.Put(taken, [1, 2, 3]);
        var attempts = new Attempts(_dropbox, delivery);

        var accepted = Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal($"/Apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001-{delivery.ImageId}.jpg", accepted.Reference);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(2, _service.Files.Count);
        Assert.Equal([1, 2, 3], _service.Files.Single(file => file.Path == taken).Bytes);
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task A_damaged_upload_becomes_no_file(int size)
    {
        var delivery = Sample.Delivery(Config(), size);
        var opened = 0;
        var damaged = delivery with
        {
            OpenRead = () =>
            {
                var bytes = Sample.Bytes(delivery);
                // The first reading is for the hash, later ones are what is sent.
                if (opened++ > 0)
                    bytes[500] ^= (byte)opened;
                return new MemoryStream(bytes);
            },
        };
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(damaged));
        Assert.Empty(_service.Files);
    }

    [Fact]
    public async Task An_answer_with_another_hash_is_not_believed()
    {
        _service.Refuse(Upload, 200, """{"path_display":"/x","content_hash":"00"}""");
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config())));
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task A_full_dropbox_breaks_the_destination(int size)
    {
        _service.Room = 1000;
        var outcome = Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config(), size)));
        Assert.Contains("full", outcome.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_where_a_folder_should_be_is_not_taken_for_the_image()
    {
        _service.Put("/Apertur", [1]);
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config())));
    }

    [Theory]
    [InlineData("no_write_permission", typeof(DeliveryOutcome.Broken))]
    [InlineData("access_restricted", typeof(DeliveryOutcome.Broken))]
    [InlineData("team_folder", typeof(DeliveryOutcome.Broken))]
    [InlineData("disallowed_name", typeof(DeliveryOutcome.GiveUp))]
    [InlineData("malformed_path", typeof(DeliveryOutcome.GiveUp))]
    [InlineData("too_many_write_operations", typeof(DeliveryOutcome.TryAgain))]
    public async Task A_refused_path_has_its_outcome(string tag, Type expected)
    {
        _service.RefuseBecause(Upload, new JsonObject { [".tag"] = "path", ["reason"] = new JsonObject { [".tag"] = tag } });
        Assert.IsType(expected, Is<DeliveryOutcome>(await DeliverAsync(Sample.Delivery(Config()))));
    }

    [Fact]
    public async Task Too_many_requests_wait_as_long_as_asked()
    {
        var reason = new JsonObject { ["reason"] = new JsonObject { [".tag"] = "too_many_requests" }, ["retry_after"] = 300 };
        _service.RefuseBecause(Upload, reason, 429, retryAfterSeconds: 17);
        Assert.Equal(TimeSpan.FromSeconds(17), Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config()))).After);
        _service.RefuseBecause(Upload, reason, 429);
        Assert.Equal(TimeSpan.FromMinutes(5), Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config()))).After);
    }

    [Fact]
    public async Task A_service_that_never_answers_is_given_up_after_half_a_minute()
    {
        var clock = new TestClock();
        var arrived = _service.Hang(Upload);
        var delivering = Dropbox(_http, _service, clock).DeliverAsync(Sample.Delivery(Config()), Cancellation);
        await arrived.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        clock.Advance(TimeSpan.FromSeconds(31));
        Assert.Contains("within 30 s", Is<DeliveryOutcome.TryAgain>(await delivering).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_expired_token_says_so_by_its_status()
    {
        _service.OAuth.Expire();
        Assert.Equal(401, Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config()))).Status);
        Assert.Equal(401, Is<DeliveryOutcome.TryAgain>(await TestAsync()).Status);
    }

    [Fact]
    public async Task A_missing_permission_breaks_the_destination()
    {
        var error = new JsonObject { [".tag"] = "missing_scope", ["required_scope"] = "files.content.write" };
        _service.RefuseBecause(Upload, error, 401);
        Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config())));
    }

    [Theory]
    [InlineData(401, "user_suspended", typeof(DeliveryOutcome.Broken), "suspended")]
    [InlineData(403, "access_error", typeof(DeliveryOutcome.Broken), "may not use this feature")]
    [InlineData(409, "payload_too_large", typeof(DeliveryOutcome.GiveUp), "too large")]
    [InlineData(409, "other", typeof(DeliveryOutcome.TryAgain), "now")]
    public async Task A_refusal_has_its_outcome(int status, string tag, Type expected, string words)
    {
        _service.RefuseBecause(Upload, new JsonObject { [".tag"] = tag }, status);
        var outcome = await DeliverAsync(Sample.Delivery(Config()));
        Assert.IsType(expected, outcome);
        Assert.Contains(words, outcome.ReasonText, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    [Fact]
    public async Task A_file_in_the_way_that_cannot_be_looked_at_is_no_verdict_on_the_image()
    {
        var delivery = Sample.Delivery(Config());
        _service.Put($"/Apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg", [1, 2, 3]);
        _service.Refuse("get_metadata", 503, retryAfterSeconds: 4);
        Assert.Equal(TimeSpan.FromSeconds(4), Is<DeliveryOutcome.TryAgain>(await DeliverAsync(delivery)).After);
    }

    [Fact]
    public async Task An_image_whose_names_are_both_taken_is_given_up()
    {
        var delivery = Sample.Delivery(Config());
        foreach (var name in new[] { "2-IMG_0001.jpg", $"2-IMG_0001-{delivery.ImageId}.jpg" })
            _service.Put($"/Apertur/2026-06-12/{delivery.SessionId}/{name}", [1, 2, 3]);
        Assert.Contains("both names", Is<DeliveryOutcome.GiveUp>(await DeliverAsync(delivery)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_last_request_that_is_always_cut_is_not_sent_for_ever()
    {
        for (var i = 0; i < 20; i++)
            _service.CutBody("upload_session/finish", after: i == 0 ? Large - (2 * 8 * 1024 * 1024) : 0);
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Large)));
        Assert.InRange(_service.Count("upload_session/finish"), 1, 6);
    }

    [Fact]
    public async Task What_is_kept_of_a_long_name_fits_its_place()
    {
        var folder = string.Concat(Enumerable.Repeat("/" + new string('ф', 120), 4));
        var attempts = new Attempts(_dropbox, Sample.Delivery(Config(("folder", folder)), Large, new string('ф', 120) + ".jpg"));
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.NotNull(attempts.Kept);
    }

    [Fact]
    public async Task Without_a_connection_nothing_is_asked()
    {
        _token = null!;
        Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config())));
        Assert.Empty(_service.Requests);
    }

    [Fact]
    public async Task Without_a_client_the_type_says_that_it_is_not_configured()
    {
        var unconfigured = new DropboxDestination(_http, new(), TimeProvider.System);
        Assert.Null(unconfigured.OAuth);
        // No owner can help, so nothing waits for one.
        var outcome = Is<DeliveryOutcome.TryAgain>(await unconfigured.TestAsync(Config(), Cancellation));
        Assert.Contains("not configured", outcome.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_test_leaves_no_file()
    {
        Is<DeliveryOutcome.Accepted>(await TestAsync());
        Assert.Empty(_service.Files);
        Assert.Single(_service.Requests);
    }

    [Theory]
    [InlineData("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u")]
    [InlineData("../secret")]
    [InlineData("/a/./b")]
    [InlineData("a\\b")]
    [InlineData("a\nb")]
    public void A_folder_that_climbs_or_never_ends_is_refused(string folder)
    {
        var (_, errors) = DestinationConfig.Validate(_dropbox.Fields, new JsonObject { ["folder"] = folder });
        Assert.Equal("folder", Assert.Single(errors).Field);
    }

    internal static DropboxDestination Dropbox(OutboundHttp http, FakeDropbox service, TimeProvider? clock = null)
    {
        var settings = new DestinationSettings { DropboxApi = service.Root, DropboxContent = service.Root };
        var client = GoogleDriveDestinationTests.Client(settings.Dropbox, service.Root, "oauth2/authorize", "oauth2/token");
        return new(http, settings with { Dropbox = client }, clock ?? TimeProvider.System);
    }

    private Task<DeliveryOutcome> DeliverAsync(Delivery delivery) => _dropbox.DeliverAsync(delivery, Cancellation);

    private Task<DeliveryOutcome> TestAsync() => _dropbox.TestAsync(Config(), Cancellation);

    private DestinationConfig Config(params (string Name, string Value)[] values) => Sample.Config(
        _dropbox, new JsonObject(values.Select(value => KeyValuePair.Create(value.Name, (JsonNode?)value.Value))), _token);
}
