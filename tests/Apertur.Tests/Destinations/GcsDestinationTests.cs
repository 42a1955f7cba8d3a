using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using static Apertur.Tests.Destinations.Cloud;

namespace Apertur.Tests.Destinations;

public sealed class GcsDestinationTests : IAsyncLifetime
{
    private const string Create = "POST /upload/storage/v1/b/";
    private const string Session = "PUT /upload/storage/v1/b/";

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private FakeGoogle _google = null!;
    private GcsDestination _gcs = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _google = await FakeGoogle.StartAsync();
        _gcs = new GcsDestination(_http, new() { GcsApi = _google.Root }, TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        await _google.DisposeAsync();
        _http.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Small)]
    [InlineData(5 * 1024 * 1024)]
    [InlineData(16 * 1024 * 1024)]
    [InlineData(Large)]
    public async Task An_image_arrives_whole_with_its_name_type_and_digest(int size)
    {
        var delivery = Sample.Delivery(Config(), size, "Über „Küche“ 1+1.jpg");
        var accepted = Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));

        var stored = Assert.Single(_google.Objects);
        Assert.Equal($"apertur/2026-06-12/{delivery.SessionId}/2-Über „Küche“ 1+1.jpg", stored.Name);
        Assert.Equal(stored.Name, accepted.Reference);
        Assert.Equal(Sample.Bytes(delivery), stored.Bytes);
        Assert.Equal("image/jpeg", (string?)stored.Resource["contentType"]);
        Assert.Equal(delivery.ImageId.ToString(), (string?)stored.Resource["metadata"]!["apertur-image-id"]);
        Assert.Equal(delivery.Sha256, (string?)stored.Resource["metadata"]!["sha256"]);
    }

    [Fact]
    public async Task Hash_of_what_was_sent_is_metadata()
    {
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config()) with { OriginalSha256 = Sample.OriginalSha256 }));

        Assert.Equal(Sample.OriginalSha256, (string?)Assert.Single(_google.Objects).Resource["metadata"]!["original_sha256"]);
    }

    [Fact]
    public async Task Words_of_the_sender_are_metadata()
    {
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config()) with { Answers = Sample.Answers, Caption = Sample.Caption }));

        var metadata = Assert.Single(_google.Objects).Resource["metadata"]!;
        Assert.Equal("Ann  Ødegård", (string?)metadata["apertur-answer-name"]);
        Assert.Equal("two\nlines", (string?)metadata["apertur-answer-note"]);
        Assert.Equal(Sample.Caption, (string?)metadata["apertur-caption"]);
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task The_same_delivery_twice_leaves_one_object(int size)
    {
        var delivery = Sample.Delivery(Config(), size);
        var first = Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        var second = Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        Assert.Equal(first.Reference, second.Reference);
        Assert.Single(_google.Objects);
    }

    [Theory]
    [InlineData(Create, Small)]
    [InlineData(Session, Large)]
    public async Task A_lost_answer_leaves_one_object(string line, int size)
    {
        var attempts = new Attempts(_gcs, Sample.Delivery(Config(), size));
        _google.LoseAnswer(line);
        if (await attempts.NextAsync() is not DeliveryOutcome.Accepted)
            Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Objects).Bytes);
    }

    [Fact]
    public async Task A_cut_upload_goes_on_where_it_stopped()
    {
        var attempts = new Attempts(_gcs, Sample.Delivery(Config(), Large));
        _google.CutBody(Session, after: 3_000_000);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());

        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Objects).Bytes);
        Assert.Equal(1, _google.Count(Create));
        // The service keeps whole blocks of 256 KiB: 11 of them came before the cut.
        Assert.Equal(
            [
                "bytes 0-8388607/20000001",
                "bytes */20000001",
                "bytes 2883584-11272191/20000001",
                "bytes 11272192-19660799/20000001",
                "bytes 19660800-20000000/20000001",
            ],
            _google.Requests.Select(request => request.ContentRange).Where(range => range.Length > 0));
    }

    [Fact]
    public async Task A_later_attempt_goes_on_in_the_session_of_the_earlier_one()
    {
        var attempts = new Attempts(_gcs, Sample.Delivery(Config(), Large));
        _google.On(Session, async (_, next) => await next());
        _google.Refuse(Session, 503, retryAfterSeconds: 7);
        Assert.Equal(TimeSpan.FromSeconds(7), Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync()).After);
        Assert.Equal(2, _google.Count(Session));

        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(1, _google.Count(Create));
        Assert.Equal(5, _google.Count(Session));
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Objects).Bytes);
    }

    [Fact]
    public async Task A_session_that_has_ended_is_replaced()
    {
        var attempts = new Attempts(_gcs, Sample.Delivery(Config(), Large));
        _google.Refuse(Session, 500);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        _google.ForgetSessions();
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Objects).Bytes);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    public async Task A_session_that_ends_under_way_is_no_verdict_on_bucket_or_image(int status)
    {
        var attempts = new Attempts(_gcs, Sample.Delivery(Config(), Large));
        _google.On(Session, async (_, next) => await next());
        _google.Refuse(Session, status);
        _google.Refuse(Session, status);
        Is<DeliveryOutcome.TryAgain>(await attempts.NextAsync());
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(Sample.Bytes(attempts.Delivery), Assert.Single(_google.Objects).Bytes);
    }

    [Fact]
    public async Task A_piece_that_was_kept_in_part_is_sent_again_from_there()
    {
        _google.KeepsOnly = 1_000_000;
        var delivery = Sample.Delivery(Config(), Large);
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        Assert.Equal(Sample.Bytes(delivery), Assert.Single(_google.Objects).Bytes);
    }

    [Fact]
    public async Task A_service_that_keeps_nothing_is_not_asked_for_ever()
    {
        for (var i = 0; i < 20; i++)
            _google.Refuse(Session, 308);
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Large)));
        Assert.InRange(_google.Count(Session), 1, 5);
    }

    [Fact]
    public async Task The_address_of_a_session_gets_no_token()
    {
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config(), Large)));
        Assert.All(
            _google.Requests.Where(request => request.Line.StartsWith(Session, StringComparison.Ordinal)),
            request => Assert.Empty(request.Authorization));
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task Another_image_of_that_name_stays_and_this_one_gets_another(int size)
    {
        var delivery = Sample.Delivery(Config(), size);
        var taken = $"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg";
        _google.PutObject(taken, [1, 2, 3]);
        var attempts = new Attempts(_gcs, delivery);

        var accepted = Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal($"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001-{delivery.ImageId}.jpg", accepted.Reference);
        Is<DeliveryOutcome.Accepted>(await attempts.NextAsync());
        Assert.Equal(2, _google.Objects.Count);
        Assert.Equal([1, 2, 3], _google.Objects.Single(o => o.Name == taken).Bytes);
    }

    [Fact]
    public async Task An_object_of_the_same_checksum_and_another_digest_is_another_image()
    {
        var delivery = Sample.Delivery(Config());
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery with { Sha256 = new string('0', 64) }));
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        Assert.Equal(2, _google.Objects.Count);
    }

    [Fact]
    public async Task An_object_of_the_same_checksum_and_another_size_is_another_image()
    {
        var delivery = Sample.Delivery(Config());
        _google.PutObject($"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg", [1, 2, 3]);
        _google.Objects.Single().Resource["crc32c"] = FakeGoogle.Crc32CReference(Sample.Bytes(delivery));
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(delivery));
        Assert.Equal(2, _google.Objects.Count);
    }

    [Fact]
    public async Task An_image_whose_names_are_both_taken_is_given_up()
    {
        var delivery = Sample.Delivery(Config());
        foreach (var name in new[] { "2-IMG_0001.jpg", $"2-IMG_0001-{delivery.ImageId}.jpg" })
            _google.PutObject($"apertur/2026-06-12/{delivery.SessionId}/{name}", [1, 2, 3]);
        Assert.Contains("both names", Is<DeliveryOutcome.GiveUp>(await DeliverAsync(delivery)).Reason, StringComparison.Ordinal);
        Assert.Equal(2, _google.Objects.Count);
    }

    [Fact]
    public async Task An_object_in_the_way_that_goes_or_cannot_be_read_is_no_verdict_on_the_image()
    {
        var delivery = Sample.Delivery(Config());
        _google.RefuseBecause(Create, 412, "conditionNotMet");
        Assert.Contains("gone again", Is<DeliveryOutcome.TryAgain>(await DeliverAsync(delivery)).Reason, StringComparison.Ordinal);
        _google.RefuseBecause(Create, 412, "conditionNotMet");
        _google.Refuse("GET /storage/v1/b/", 503, retryAfterSeconds: 6);
        Assert.Equal(TimeSpan.FromSeconds(6), Is<DeliveryOutcome.TryAgain>(await DeliverAsync(delivery)).After);
    }

    [Fact]
    public async Task A_damaged_upload_becomes_no_object()
    {
        var delivery = Sample.Delivery(Config(), Small);
        var opened = 0;
        var damaged = delivery with
        {
            OpenRead = () =>
            {
                var bytes = Sample.Bytes(delivery);
                // The first reading is for the checksum, the second is what is sent.
                if (opened++ > 0)
                    bytes[500] ^= 1;
                return new MemoryStream(bytes);
            },
        };
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(damaged));
        Assert.Empty(_google.Objects);
    }

    [Fact]
    public async Task An_answer_with_another_checksum_is_not_believed()
    {
        _google.Refuse(Create, 200, """{"name":"x","size":"1","crc32c":"AAAAAA=="}""");
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Small)));
    }

    [Fact]
    public async Task One_token_serves_many_deliveries()
    {
        for (var i = 0; i < 3; i++)
            Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config(), Small)));
        Assert.Equal(1, _google.Count("POST /token"));
    }

    [Fact]
    public async Task A_token_that_is_not_accepted_any_more_is_replaced()
    {
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config(), Small)));
        _google.OAuth.Expire();
        Assert.Equal(401, Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Small))).Status);
        Is<DeliveryOutcome.Accepted>(await DeliverAsync(Sample.Delivery(Config(), Small)));
    }

    [Fact]
    public async Task A_deleted_key_breaks_the_destination()
    {
        _google.KeyIsDeleted = true;
        Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config(), Small)));
        Is<DeliveryOutcome.Broken>(await TestAsync());
    }

    [Fact]
    public async Task A_bucket_that_does_not_exist_breaks_the_destination()
    {
        Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config("no-such-bucket"), Small)));
        Is<DeliveryOutcome.Broken>(await _gcs.TestAsync(Config("no-such-bucket"), Cancellation));
    }

    [Theory]
    [InlineData(403, "forbidden", "Storage Object User")]
    [InlineData(403, "accountDisabled", "unpaid bill")]
    [InlineData(403, "userProjectAccountProblem", "unpaid bill")]
    [InlineData(403, "accessNotConfigured", "not enabled")]
    [InlineData(404, "notFound", "does not exist")]
    [InlineData(412, "orgPolicyConstraintFailed", "policy")]
    public async Task A_refusal_that_only_the_owner_can_end_breaks_the_destination(int status, string reason, string words)
    {
        _google.RefuseBecause(Create, status, reason);
        var outcome = Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config())));
        Assert.Contains(words, outcome.Reason, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    [Fact]
    public async Task An_image_that_is_too_large_for_the_service_is_not_sent_again()
    {
        _google.Refuse(Create, 413);
        Assert.Equal(413, Is<DeliveryOutcome.GiveUp>(await DeliverAsync(Sample.Delivery(Config()))).Status);
    }

    [Theory]
    [InlineData(403, "rateLimitExceeded", null)]
    [InlineData(403, "userRateLimitExceeded", 9)]
    [InlineData(403, "sharingRateLimitExceeded", 9)]
    [InlineData(403, "dailyLimitExceeded", 3600)]
    [InlineData(403, "quotaExceeded", 12)]
    [InlineData(429, "rateLimitExceeded", 30)]
    [InlineData(500, "internalError", null)]
    [InlineData(503, "backendError", 5)]
    public async Task A_busy_service_is_tried_again_when_it_says(int status, string reason, int? after)
    {
        _google.RefuseBecause(Create, status, reason, after);
        var outcome = Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Small)));
        Assert.Equal(status, outcome.Status);
        Assert.Equal(after, outcome.After?.TotalSeconds);
    }

    [Fact]
    public async Task A_token_endpoint_without_sense_breaks_nothing_else_and_gives_nothing_away()
    {
        _google.Refuse("POST /token", 200, """{"access_token":"planted\r\nHost: evil","expires_in":3600}""");
        Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config(), Small)));
        _google.Refuse("POST /token", 200, new string('x', 3_000_000));
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Small)));
    }

    [Theory]
    [InlineData(400, "Save a new key file")]
    [InlineData(401, "Save a new key file")]
    [InlineData(403, "Save a new key file")]
    [InlineData(410, "token_uri does not give access tokens")]
    [InlineData(415, "token_uri does not give access tokens")]
    public async Task A_token_endpoint_that_gives_none_breaks_the_destination_and_ends_no_image(int status, string words)
    {
        _google.Refuse("POST /token", status);
        var outcome = Is<DeliveryOutcome.Broken>(await DeliverAsync(Sample.Delivery(Config())));
        Assert.Contains(words, outcome.Reason, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    [Fact]
    public async Task A_busy_token_endpoint_is_asked_again_when_it_says()
    {
        _google.Refuse("POST /token", 503, retryAfterSeconds: 8);
        Assert.Equal(TimeSpan.FromSeconds(8), Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config()))).After);
    }

    [Theory]
    [InlineData(null, 2)]
    [InlineData(300, 2)]
    [InlineData(301, 1)]
    public async Task A_token_that_is_about_to_end_is_not_kept(int? lifetime, int asked)
    {
        _google.Refuse("POST /token", 200, new JsonObject
        {
            ["access_token"] = _google.OAuth.IssueAccessToken(),
            ["expires_in"] = lifetime,
        }.ToJsonString());
        // It stands still, whatever else the machine does.
        var gcs = new GcsDestination(_http, new() { GcsApi = _google.Root }, new TestClock());
        _google.Clock = new TestClock();
        for (var i = 0; i < 2; i++)
            Is<DeliveryOutcome.Accepted>(await gcs.DeliverAsync(Sample.Delivery(Config()), Cancellation));
        Assert.Equal(asked, _google.Count("POST /token"));
    }

    [Fact]
    public async Task A_wrong_clock_of_this_server_does_not_break_the_destination()
    {
        _google.Refuse("POST /token", 400, """
            {"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a
            reasonable timeframe. Check your iat and exp values in the JWT claim."}
            """.ReplaceLineEndings(" "));
        Is<DeliveryOutcome.TryAgain>(await DeliverAsync(Sample.Delivery(Config(), Small)));
    }

    [Fact]
    public async Task A_key_file_cannot_lead_into_the_private_network()
    {
        using var guarded = new OutboundHttp(allowPrivateNetworks: false);
        var gcs = new GcsDestination(guarded, new(), TimeProvider.System);
        Is<DeliveryOutcome.Broken>(await gcs.DeliverAsync(Sample.Delivery(Config(), Small), Cancellation));
        Is<DeliveryOutcome.Broken>(await gcs.TestAsync(Config(), Cancellation));
        Assert.Empty(_google.Requests);
    }

    [Fact]
    public async Task The_test_leaves_neither_object_nor_session()
    {
        Is<DeliveryOutcome.Accepted>(await TestAsync());
        Assert.Empty(_google.Objects);
        Assert.Equal(0, _google.OpenSessions);
        Assert.Equal(1, _google.Count(Create));
    }

    [Theory]
    [InlineData("""{"client_email":"a@b"}""", "client_email and private_key")]
    [InlineData("""{"client_email":"a@b","private_key":"planted"}""", "PEM")]
    [InlineData("""{"client_email":"a@b","private_key":"planted","token_uri":"file:///etc/passwd"}""", "token_uri")]
    [InlineData("""{"client_email":"a@b","private_key":"planted","private_key":"planted"}""", "twice")]
    [InlineData("[]", "JSON object")]
    [InlineData("planted", "JSON object")]
    public void A_key_file_that_cannot_work_is_refused(string keyFile, string message)
    {
        var (_, errors) = DestinationConfig.Validate(
            _gcs.Fields, new JsonObject { ["bucket"] = "photos", ["serviceAccountJson"] = keyFile });
        var (field, said) = Assert.Single(errors);
        Assert.Equal("serviceAccountJson", field);
        Assert.Contains(message, said, StringComparison.Ordinal);
        Assert.DoesNotContain("planted", said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_public_key_cannot_sign_and_is_refused()
    {
        using var rsa = RSA.Create(2048);
        var key = JsonNode.Parse(_google.ServiceAccountJson)!;
        key["private_key"] = rsa.ExportSubjectPublicKeyInfoPem();
        var (_, errors) = DestinationConfig.Validate(
            _gcs.Fields, new JsonObject { ["bucket"] = "photos", ["serviceAccountJson"] = key });
        Assert.Contains("private RSA key", Assert.Single(errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_is_too_short_is_refused()
    {
        using var rsa = RSA.Create(1024);
        var key = JsonNode.Parse(_google.ServiceAccountJson)!;
        key["private_key"] = rsa.ExportPkcs8PrivateKeyPem();
        var (_, errors) = DestinationConfig.Validate(
            _gcs.Fields, new JsonObject { ["bucket"] = "photos", ["serviceAccountJson"] = key });
        Assert.Contains("2,048 to 8,192 bits", Assert.Single(errors).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gs://photos")]
    [InlineData("a/../b")]
    [InlineData("Photos")]
    [InlineData("..")]
    [InlineData("ab")]
    [InlineData("-photos")]
    [InlineData("photos.")]
    [InlineData("pho tos")]
    public void A_name_that_is_no_bucket_is_refused(string bucket)
    {
        var (_, errors) = DestinationConfig.Validate(
            _gcs.Fields, new JsonObject { ["bucket"] = bucket, ["serviceAccountJson"] = _google.ServiceAccountJson });
        Assert.Equal("bucket", Assert.Single(errors).Field);
    }

    private Task<DeliveryOutcome> DeliverAsync(Delivery delivery) => _gcs.DeliverAsync(delivery, Cancellation);

    private Task<DeliveryOutcome> TestAsync() => _gcs.TestAsync(Config(), Cancellation);

    private DestinationConfig Config(string bucket = FakeGoogle.BucketName) => Sample.Config(
        _gcs, new JsonObject { ["bucket"] = bucket, ["serviceAccountJson"] = JsonNode.Parse(_google.ServiceAccountJson) });
}
