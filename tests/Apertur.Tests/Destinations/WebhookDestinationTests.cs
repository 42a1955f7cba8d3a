using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.WebUtilities;

namespace Apertur.Tests.Destinations;

public sealed class WebhookDestinationTests : IAsyncLifetime
{
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private WebhookDestination _webhook = null!;
    private Receiver _receiver = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _webhook = new WebhookDestination(_http, TimeProvider.System);
        _receiver = await Receiver.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        _http.Dispose();
    }

    [Fact]
    public async Task Json_has_the_fields_of_the_contract_in_their_order()
    {
        var metadata = new JsonObject { ["order"] = 7 };
        var delivery = Sample.Delivery(Config(), filename: "Müller \"1\".jpg") with { Metadata = metadata };
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));

        var received = _receiver.Requests.Single();
        var json = JsonNode.Parse(received.Body)!.AsObject();
        Assert.Equal("application/json", received["Content-Type"]);
        Assert.Equal("Apertur-Webhook/1.0", received["User-Agent"]);
        // What others have in their headers, and what is asked before a large body.
        Assert.Null(received["X-Aptr-Sha256"]);
        Assert.Null(received["Expect"]);
        Assert.Contains("Müller", Encoding.UTF8.GetString(received.Body), StringComparison.Ordinal);
        Assert.Equal(
            ["session_id", "image_id", "image_index", "mime_type", "filename", "size_bytes", "data", "tags", "metadata",
                "sha256"],
            json.Select(member => member.Key));
        Assert.Equal(delivery.SessionId.ToString(), (string?)json["session_id"]);
        Assert.Equal(delivery.ImageId.ToString(), (string?)json["image_id"]);
        Assert.Equal(2, (int)json["image_index"]!);
        Assert.Equal("image/jpeg", (string?)json["mime_type"]);
        Assert.Equal("Müller \"1\".jpg", (string?)json["filename"]);
        Assert.Equal(1000, (long)json["size_bytes"]!);
        Assert.Equal(Sample.Bytes(delivery), Convert.FromBase64String((string)json["data"]!));
        Assert.Equal(["claim:4711", "urgent"], json["tags"]!.AsArray().Select(tag => (string)tag!));
        Assert.Equal("""{"order":7}""", json["metadata"]!.ToJsonString());
        Assert.Equal(delivery.Sha256, (string?)json["sha256"]);
    }

    [Fact]
    public async Task Absent_metadata_is_null_and_absent_tags_are_an_empty_list()
    {
        await _webhook.DeliverAsync(Sample.Delivery(Config()) with { Tags = [] }, Cancellation);
        Assert.EndsWith("\"tags\":[],\"metadata\":null,\"sha256\":\"" + Json()["sha256"] + "\"}",
            Encoding.UTF8.GetString(_receiver.Requests.Single().Body), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(48 * 1024 - 1)]
    [InlineData(48 * 1024)]
    [InlineData(48 * 1024 + 1)]
    [InlineData(3_000_000)]
    public async Task Base64_is_exact_at_every_length(int length)
    {
        var delivery = Sample.Delivery(Config(), length);
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));
        Assert.Equal(Sample.Bytes(delivery), Convert.FromBase64String((string)Json()["data"]!));
        AssertSigned(delivery, Sample.Secret);
    }

    [Fact]
    public async Task Multipart_has_the_file_the_fields_and_one_field_for_each_named_tag()
    {
        var delivery = Sample.Delivery(Config("multipart"), filename: "a\"b\r\nX-Evil: 1é.jpg") with
        {
            Tags =
            [
                "claim:47:11", "urgent", "sha256:forged", ":nameless", "a\"b:é",
                "Image:x", "session_id:x", "image_id:x", "image_index:x", "original_sha256:x", "tags:x", "visitor:x", "caption:x", "answers:x",
            ],
        };
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));
        AssertSigned(delivery, Sample.Secret);

        var (fields, file, name) = await FormAsync();
        Assert.Equal(Sample.Bytes(delivery), file);
        Assert.Equal("a%22b%0D%0AX-Evil: 1é.jpg", name);
        Assert.Equal(
            [
                ("session_id", delivery.SessionId.ToString()), ("image_id", delivery.ImageId.ToString()), ("image_index", "2"),
                ("sha256", delivery.Sha256), ("tags", fields[4].Item2), ("claim", "47:11"), ("a%22b", "é"),
            ],
            fields);
        Assert.StartsWith(
            """["claim:47:11","urgent","sha256:forged",":nameless","a\"b:é","Image:x",""", fields[4].Item2, StringComparison.Ordinal);
        Assert.Equal(delivery.Tags, JsonNode.Parse(fields[4].Item2)!.AsArray().Select(tag => (string)tag!));
        Assert.Contains(
            "filename=\"a%22b%0D%0AX-Evil: 1é.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n",
            Encoding.UTF8.GetString(_receiver.Requests.Single().Body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Binary_is_the_bytes_and_headers_say_the_rest()
    {
        var delivery = Sample.Delivery(Config("binary"), filename: "Фото 1.jpg") with
        {
            Metadata = new JsonObject { ["name"] = "Ł" },
        };
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));
        AssertSigned(delivery, Sample.Secret);

        var received = _receiver.Requests.Single();
        Assert.Equal(Sample.Bytes(delivery), received.Body);
        Assert.Equal("application/octet-stream", received["Content-Type"]);
        Assert.Equal("Фото 1.jpg", Uri.UnescapeDataString(received["X-Aptr-Filename"]!));
        Assert.Equal("image/jpeg", received["X-Aptr-Mime-Type"]);
        Assert.Equal(delivery.Sha256, received["X-Aptr-Sha256"]);
        Assert.Equal("""["claim:4711","urgent"]""", received["X-Aptr-Tags"]);
        Assert.Equal("Ł", (string?)JsonNode.Parse(received["X-Aptr-Metadata"]!)!["name"]);
    }

    [Fact]
    public async Task Link_has_an_address_in_place_of_the_bytes()
    {
        var delivery = Sample.Delivery(Config("link"));
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));
        AssertSigned(delivery, Sample.Secret);
        Assert.Equal(delivery.DownloadUrl().AbsoluteUri, (string?)Json()["download_url"]);
        Assert.False(Json().ContainsKey("data"));
    }

    [Fact]
    public async Task The_destinations_own_secret_replaces_the_projects()
    {
        var delivery = Sample.Delivery(Config(more: new JsonObject { ["secret"] = "of this hook alone" }));
        await _webhook.DeliverAsync(delivery, Cancellation);
        AssertSigned(delivery, "of this hook alone");
    }

    [Fact]
    public async Task Owners_headers_are_sent()
    {
        var headers = new JsonObject { ["Authorization"] = "Bearer t0ken", ["X-Tenant"] = "a b", ["User-Agent"] = "Mine/1" };
        await _webhook.DeliverAsync(Sample.Delivery(Config(more: new JsonObject { ["headers"] = headers })), Cancellation);
        Assert.Equal("Bearer t0ken", _receiver.Requests.Single()["Authorization"]);
        Assert.Equal("a b", _receiver.Requests.Single()["X-Tenant"]);
        Assert.Equal("Mine/1", _receiver.Requests.Single()["User-Agent"]);
    }

    [Theory]
    [InlineData("host", "elsewhere.example")]
    [InlineData("content-length", "1")]
    [InlineData("Content-Type", "text/plain")]
    [InlineData("Transfer-Encoding", "chunked")]
    [InlineData("x-apertur-signature", "sha256=00")]
    [InlineData("X-Aptr-Signature", "sha256=00")]
    [InlineData("X-APTR-Delivery-ID", "1")]
    [InlineData("Webhook-Signature", "v1,AA==")]
    [InlineData("Connection", "close")]
    [InlineData("Keep-Alive", "timeout=5")]
    [InlineData("Upgrade", "h2c")]
    [InlineData("TE", "trailers")]
    [InlineData("Trailer", "Expires")]
    [InlineData("Expect", "100-continue")]
    [InlineData("HTTP2-Settings", "AAMAAABk")]
    [InlineData("Proxy-Authorization", "Basic eA==")]
    [InlineData("svix-id", "msg_2")]
    [InlineData("X Y", "space in the name")]
    [InlineData("X:Y", "colon in the name")]
    [InlineData("", "no name")]
    [InlineData("X-Split", "a\r\nX-Evil: 1")]
    [InlineData("X-Nul", "a\0b")]
    [InlineData("X-Wide", "é")]
    public void Headers_that_would_break_the_message_are_refused_without_repeating_their_value(string name, string value)
    {
        var sent = new JsonObject { ["url"] = "https://a.example", ["headers"] = new JsonObject { [name] = value } };
        var error = Assert.Single(DestinationConfig.Validate(_webhook.Fields, sent).Errors);
        Assert.Equal("headers", error.Field);
        Assert.DoesNotContain(value, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_and_values_of_headers_have_a_longest()
    {
        var (name, value) = (new string('n', 128), new string('v', 4096));
        Assert.Null(WebhookHeaders.Problem(name, value));
        Assert.NotNull(WebhookHeaders.Problem(name + "n", value));
        Assert.NotNull(WebhookHeaders.Problem(name, value + "v"));
    }

    [Fact]
    public async Task What_would_be_too_long_for_a_header_is_left_out_of_a_binary_body()
    {
        var delivery = Sample.Delivery(Config("binary")) with { Tags = [new string('t', 2044)], Metadata = new JsonObject { ["n"] = new string('m', 2041) } };
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));

        var received = _receiver.Requests.Single();
        Assert.Equal(2048, received["X-Aptr-Tags"]!.Length);
        Assert.Null(received["X-Aptr-Metadata"]);
        Assert.NotNull(received["X-Aptr-Sha256"]);
    }

    [Fact]
    public async Task Size_refused_sends_a_link_in_the_same_attempt()
    {
        _receiver.Answers(413);
        var delivery = Sample.Delivery(Config());
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(delivery, Cancellation));
        Assert.Equal(2, _receiver.Requests.Count);
        Assert.Equal(_receiver.Requests[0]["X-APTR-Delivery-ID"], _receiver.Requests[1]["X-APTR-Delivery-ID"]);
        Assert.True(JsonNode.Parse(_receiver.Requests[1].Body)!.AsObject().ContainsKey("download_url"));
    }

    [Fact]
    public async Task Size_refused_even_for_a_link_is_final()
    {
        _receiver.Answers(413, 413);
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(Config("binary")), Cancellation);
        Assert.Equal(413, Assert.IsType<DeliveryOutcome.GiveUp>(outcome).Status);
        Assert.Equal(2, _receiver.Requests.Count);

        // One that gets links in any case is not sent another.
        _receiver.Answers(413);
        Assert.IsType<DeliveryOutcome.GiveUp>(await _webhook.DeliverAsync(Sample.Delivery(Config("link")), Cancellation));
        Assert.Equal(3, _receiver.Requests.Count);
    }

    [Fact]
    public async Task Size_refused_before_the_body_was_read_still_reaches_the_sender()
    {
        _receiver.Handles(context =>
        {
            context.Response.StatusCode = 413;
            context.Response.Headers.Connection = "close";
            return Task.CompletedTask;
        });
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(Config(), length: 20_000_000), Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        Assert.True(_receiver.Requests.Single().Length < 10_000);
    }

    [Fact]
    public async Task A_receiver_that_refuses_to_be_asked_is_not_asked()
    {
        _receiver.Handles(context =>
        {
            context.Response.StatusCode = context.Request.Headers.Expect.Count > 0 ? 417 : 500;
            return Task.CompletedTask;
        });
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(Config("binary"), length: 2_000_000), Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        Assert.Null(_receiver.Requests.Single()["Expect"]);

        // Nor was it asked before a small one.
        _receiver.Answers(417);
        Assert.Equal(417, (await _webhook.DeliverAsync(Sample.Delivery(Config()), Cancellation)).Status);
        Assert.Equal(2, _receiver.Requests.Count);
    }

    [Fact]
    public async Task Nothing_is_sent_without_a_secret_to_sign_it_with()
    {
        var config = new DestinationConfig(_webhook.Fields, new JsonObject { ["url"] = _receiver.Url });
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(config), Cancellation);
        Assert.Contains("no secret to sign with", Assert.IsType<DeliveryOutcome.Broken>(outcome).Reason, StringComparison.Ordinal);
        Assert.Empty(_receiver.Requests);
    }

    [Fact]
    public async Task No_answer_in_time_is_tried_again()
    {
        _receiver.Hangs();
        var config = Config(more: new JsonObject { ["timeoutSeconds"] = 1 });
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(config), Cancellation);
        Assert.Equal("The destination did not answer within 1 s.", Assert.IsType<DeliveryOutcome.TryAgain>(outcome).Reason);
    }

    [Fact]
    public async Task A_receiver_that_stops_taking_the_body_is_given_up_in_time()
    {
        _receiver.Handles(async context =>
        {
            await context.Request.Body.ReadExactlyAsync(new byte[1], context.RequestAborted);
            await Receiver.GoneAsync(context);
        });
        var config = Config("binary", new JsonObject { ["timeoutSeconds"] = 1 });
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(config, length: 50_000_000), Cancellation);
        Assert.IsType<DeliveryOutcome.TryAgain>(outcome);
    }

    [Fact]
    public async Task A_slow_receiver_that_goes_on_taking_gets_more_than_the_timeout()
    {
        _receiver.Handles(async context =>
        {
            // Three seconds in all, a tenth of a second at most without a read.
            var buffer = new byte[1024 * 1024];
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
            for (var reads = 0; await context.Request.Body.ReadAsync(buffer, context.RequestAborted) > 0; reads++)
            {
                if (reads < 30)
                    await pace.WaitForNextTickAsync(context.RequestAborted);
            }
        });
        var config = Config("binary", new JsonObject { ["timeoutSeconds"] = 2 });
        var outcome = await _webhook.DeliverAsync(Sample.Delivery(config, length: 50_000_000), Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
    }

    [Fact]
    public async Task An_answer_without_end_is_not_read()
    {
        _receiver.Handles(async context =>
        {
            context.Response.StatusCode = 200;
            var junk = new byte[64 * 1024];
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(junk, context.RequestAborted);
        });
        Assert.IsType<DeliveryOutcome.Accepted>(await _webhook.DeliverAsync(Sample.Delivery(Config()), Cancellation));
    }

    [Fact]
    public async Task Test_is_a_real_signed_request_that_says_it_is_one()
    {
        Assert.Equal(200, (await _webhook.TestAsync(Config(), Cancellation)).Status);
        var received = _receiver.Requests.Single();
        Assert.Equal("true", received["X-Aptr-Test"]);
        Assert.Equal(Guid.Empty.ToString(), received["X-Aptr-Session-Id"]);
        Assert.Equal((string?)Json()["sha256"],
            Convert.ToHexStringLower(SHA256.HashData(Convert.FromBase64String((string)Json()["data"]!))));
        AssertSignature(received, Sample.Secret);
    }

    private DestinationConfig Config(string? format = null, JsonObject? more = null)
    {
        var values = more ?? [];
        values["url"] = _receiver.Url;
        if (format is not null)
            values["format"] = format;
        return Sample.Config(_webhook, values);
    }

    private JsonObject Json() => JsonNode.Parse(_receiver.Requests[^1].Body)!.AsObject();

    private void AssertSigned(Delivery delivery, string secret)
    {
        var received = _receiver.Requests.Single();
        Assert.Equal(delivery.SessionId.ToString(), received["X-Aptr-Session-Id"]);
        Assert.Equal("2", received["X-Aptr-Image-Index"]);
        Assert.Equal(delivery.ImageId.ToString(), received["X-Aptr-Image-Id"]);
        Assert.Equal(delivery.Id.ToString(), received["X-APTR-Delivery-ID"]);
        Assert.Equal(delivery.Id.ToString(), received["webhook-id"]);
        Assert.Equal(received.Body.Length.ToString(CultureInfo.InvariantCulture), received["Content-Length"]);
        AssertSignature(received, secret);
    }

    private static void AssertSignature(Received received, string secret)
    {
        var key = Encoding.UTF8.GetBytes(secret);
        var expected = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(key, received.Body));
        Assert.Equal(expected, received["X-Apertur-Signature"]);
        Assert.Equal(expected, received["X-Aptr-Signature"]);
        var prefix = Encoding.UTF8.GetBytes($"{received["webhook-id"]}.{received["webhook-timestamp"]}.");
        byte[] signed = [.. prefix, .. received.Body];
        Assert.Equal("v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed)), received["webhook-signature"]);
    }

    private async Task<(List<(string, string)> Fields, byte[] File, string? Name)> FormAsync()
    {
        var received = _receiver.Requests.Single();
        var boundary = received["Content-Type"]!.Split("boundary=")[1];
        var reader = new MultipartReader(boundary, new MemoryStream(received.Body));
        var fields = new List<(string, string)>();
        byte[] file = [];
        string? name = null;
        while (await reader.ReadNextSectionAsync(Cancellation) is { } section)
        {
            using var body = new MemoryStream();
            await section.Body.CopyToAsync(body, Cancellation);
            var disposition = section.GetContentDispositionHeader()!;
            if (disposition.FileName.HasValue)
                (file, name) = (body.ToArray(), disposition.FileName.Value!.Trim('"'));
            else
                fields.Add((disposition.Name.Value!.Trim('"'), Encoding.UTF8.GetString(body.ToArray())));
        }

        return (fields, file, name);
    }
}
