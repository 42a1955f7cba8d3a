using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Commands.Demo;
using Apertur.Tests.Destinations;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;

namespace Apertur.Tests.Commands;

/// <summary>The demo's inbox over real HTTP: what it lets in is what it claims to have verified.</summary>
public sealed class InboxTests : IAsyncLifetime
{
    private static readonly string _secret = Sample.Secret;

    private readonly string _folder = Directory.CreateTempSubdirectory("apertur-inbox-").FullName;
    private readonly OutboundHttp _outbound = new(allowPrivateNetworks: true);
    private WebApplication _inbox = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _inbox.DisposeAsync();
        _outbound.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_signed_photo_is_shown_and_kept_over_a_restart()
    {
        var photo = RandomNumberGenerator.GetBytes(100_000);
        var id = Guid.NewGuid();
        Assert.Equal(HttpStatusCode.OK, await SendAsync(Body(id, photo, "<b>roof</b>.jpg")));

        await _inbox.DisposeAsync();
        await StartAsync();

        Assert.Equal(photo, await PhotoAsync(id));
        var page = await PageAsync();
        Assert.Contains("&lt;b&gt;roof&lt;/b&gt;.jpg", page, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(photo)), page, StringComparison.Ordinal);
        Assert.Contains("100 kB", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_webhook_destination_sends_arrives()
    {
        var webhook = new WebhookDestination(_outbound, TimeProvider.System);
        var config = Sample.Config(webhook, new JsonObject { ["url"] = $"{_inbox.Urls.First()}/hook" });
        var delivery = Sample.Delivery(config, 3_000_000, "Müller \"1\".jpg");

        Assert.IsType<DeliveryOutcome.Accepted>(await webhook.DeliverAsync(delivery, Cancel));

        Assert.Equal(Sample.Bytes(delivery), await PhotoAsync(delivery.ImageId));
        Assert.IsType<DeliveryOutcome.Accepted>(await webhook.TestAsync(config, Cancel));
        Assert.Single(Directory.GetFiles(_folder, "*.json"));
    }

    [Fact]
    public async Task The_published_signature_vector_is_accepted_as_a_signature()
    {
        // The body is no delivery, so the refusal comes after the signature.
        var vector = "sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f";
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync("{\"a\":1}"u8.ToArray(), vector));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync("{\"a\":1}"u8.ToArray(), "sha256=" + vector[7..].ToUpperInvariant()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("sha256=")]
    [InlineData("sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f")]
    [InlineData("sha256=zz9a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f")]
    public async Task A_wrong_signature_is_refused_and_leaves_nothing(string? signature)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(Body(Guid.NewGuid(), [1, 2, 3]), signature ?? "none"));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Bytes_that_do_not_have_the_named_hash_are_refused()
    {
        var body = Body(Guid.NewGuid(), [1, 2, 3], sha256: Convert.ToHexStringLower(SHA256.HashData("other"u8)));

        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(body));
        Assert.Contains("Nothing has arrived yet", await PageAsync(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder, "*.json"));
    }

    [Fact]
    public async Task The_same_image_twice_is_one_item()
    {
        var body = Body(Guid.NewGuid(), [1, 2, 3]);

        Assert.Equal(HttpStatusCode.OK, await SendAsync(body));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(body));

        Assert.Single(Directory.GetFiles(_folder, "*.json"));
    }

    [Fact]
    public async Task Base64_with_escaped_characters_is_the_same_photo()
    {
        byte[] photo = [0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 1];
        var id = Guid.NewGuid();
        var body = Encoding.UTF8.GetString(Body(id, photo)).Replace("++++////AQ==", "\\u002B\\u002b++\\/\\/\\/\\/AQ\\u003D=",
            StringComparison.Ordinal);
        Assert.Contains("\\u002B", body, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.OK, await SendAsync(Encoding.UTF8.GetBytes(body)));

        Assert.Equal(photo, await PhotoAsync(id));
    }

    [Fact]
    public async Task The_page_is_told_when_a_photo_arrives()
    {
        using var events = await GetAsync("/events");
        using var stream = new StreamReader(await events.Content.ReadAsStreamAsync(Cancel));
        Assert.Equal("event: changed", await stream.ReadLineAsync(Cancel));
        await stream.ReadLineAsync(Cancel);
        await stream.ReadLineAsync(Cancel);

        await SendAsync(Body(Guid.NewGuid(), [1, 2, 3]));

        Assert.Equal("event: changed", await stream.ReadLineAsync(Cancel));
    }

    [Fact]
    public async Task A_foreign_host_name_for_this_address_gets_nothing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _inbox.Urls.First());
        request.Headers.Host = "rebound.example";

        using var response = await _outbound.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    private async Task StartAsync() => _inbox = await Inbox.StartAsync(_folder, 0, _secret, NullLogger.Instance, Cancel);

    private async Task<HttpResponseMessage> GetAsync(string address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _inbox.Urls.First() + address);
        return await _outbound.SendAsync(request, Cancel);
    }

    private async Task<byte[]> PhotoAsync(Guid id)
    {
        using var response = await GetAsync($"/photos/{id}");
        return await response.Content.ReadAsByteArrayAsync(Cancel);
    }

    private async Task<string> PageAsync()
    {
        using var response = await GetAsync("/");
        return await response.Content.ReadAsStringAsync(Cancel);
    }

    private async Task<HttpStatusCode> SendAsync(byte[] body, string? signature = null)
    {
        signature ??= "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(_secret), body));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{_inbox.Urls.First()}/hook")
        {
            Content = new ByteArrayContent(body),
        };
        request.Headers.TryAddWithoutValidation("X-Apertur-Signature", signature);
        using var response = await _outbound.SendAsync(request, Cancel);
        return response.StatusCode;
    }

    private static byte[] Body(Guid id, byte[] photo, string name = "a.jpg", string? sha256 = null)
    {
        var data = Convert.ToBase64String(photo);
        var json = JsonSerializer.Serialize(new
        {
            session_id = Guid.NewGuid(),
            image_id = id,
            image_index = 0,
            mime_type = "image/jpeg",
            filename = name,
            size_bytes = photo.Length,
            data = "@",
            tags = new[] { "a:b" },
            metadata = new { claim = new { number = 7 } },
            sha256 = sha256 ?? Convert.ToHexStringLower(SHA256.HashData(photo)),
        });
        return Encoding.UTF8.GetBytes(json.Replace("\"@\"", $"\"{data}\"", StringComparison.Ordinal));
    }
}
