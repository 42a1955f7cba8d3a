using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>Every way out of this server, with every form of address that must not be reached.</summary>
public sealed class OutboundAddressTests : IDisposable
{
    private const string Refusal = "not on the public internet";
    private const string NoSuchName = "could not be resolved";

    // First and last of each block of the IANA IPv4 special-purpose registry, and of multicast.
    private static readonly string[] _special4 =
    [
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
        "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0",
        "192.0.2.255", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0",
        "198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255",
    ];

    // The IANA IPv6 special-purpose registry, multicast, and what was withdrawn.
    private static readonly string[] _special6 =
    [
        "::", "::1", "0:0:0:0:0:0:0:1", "::127.0.0.1", "::8.8.8.8", "64:ff9b:1::1", "64:ff9b:1::808:808", "100::1", "100:0:0:1::1", "2001::1",
        "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "2001:db8:ffff::1", "2620:4f:8000::1", "3fff::1",
        "3fff:fff:ffff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
    ];

    private static readonly string[] _spellings =
    [
        "localhost", "LOCALHOST", "localhost.", "photos.localhost", "a.b.localhost.", "127.1", "127.0.1", "127.0.0.1.", "10.0.0.1.",
        "169.254.169.254.", "0", "0x0", "00", "0.0", "0x7f.1", "0x7F.0x0.0x0.0x1", "0177.1", "0177.0.0.01", "127.0.0.0x1", "127。0。0。1",
        "127．0．0．1", "①②⑦.0.0.1", "１２７.0.0.1", "%31%32%37.0.0.1",
        "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[0000:0000:0000:0000:0000:ffff:7f00:0001]", "[::ffff:7f00:1]", "[::FFFF:7F00:1]",
    ];

    private static readonly Lazy<string> _privateKey = new(() =>
    {
        using var key = RSA.Create(2048);
        return key.ExportPkcs8PrivateKeyPem();
    });

    private readonly TcpListener _v4;
    private readonly TcpListener _v6;

    public OutboundAddressTests() => (_v4, _v6) = ListenOnBoth();

    private int Port => ((IPEndPoint)_v4.LocalEndpoint).Port;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, bool> Paths => new MatrixTheoryData<string, bool>(["webhook", "odoo", "s3", "gcs"], [false, true]);

    public void Dispose()
    {
        _v4.Dispose();
        _v6.Dispose();
    }

    [Fact]
    public void There_are_many_forms() => Assert.InRange(Hosts().Count, 300, 1000);

    [Theory, MemberData(nameof(Paths))]
    public async Task No_form_of_a_special_address_sends_a_packet(string type, bool test)
    {
        using var http = new OutboundHttp(allowPrivateNetworks: false);
        var wrong = new List<string>();
        foreach (var host in Hosts())
        {
            var outcome = await CallAsync(http, type, $"http://{host}:{Port}/", test);
            // Null: refused when it is saved. Some spellings are names to one resolver and nothing to another.
            var refused = outcome is null
                || (outcome is DeliveryOutcome.Broken broken && broken.Reason.Contains(Refusal, StringComparison.Ordinal))
                || (outcome is DeliveryOutcome.TryAgain again && _spellings.Contains(host)
                    && again.Reason.Contains(NoSuchName, StringComparison.Ordinal));
            if (!refused)
                wrong.Add($"{host}: {outcome}");
        }

        Assert.Empty(wrong);
        Assert.False(_v4.Pending());
        Assert.False(_v6.Pending());
    }

    [Theory, MemberData(nameof(Paths))]
    public async Task The_same_forms_of_loopback_are_reached_where_that_is_allowed(string type, bool test)
    {
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        foreach (var host in new[] { "127.0.0.1", "localhost", "LOCALHOST", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]" })
        {
            await using var receiver = await Receiver.StartAsync();
            receiver.Answers(404, 404, 404, 404);
            await CallAsync(http, type, $"http://{host}:{new Uri(receiver.Url).Port}/", test);
            Assert.True(receiver.Requests.Count > 0, host);
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public async Task No_redirect_leads_anywhere(string type, bool test)
    {
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        await using var target = await Receiver.StartAsync();
        foreach (var status in new[] { 301, 302, 303, 307, 308 })
        {
            await using var receiver = await Receiver.StartAsync();
            var asked = 0;
            receiver.Otherwise = context =>
            {
                asked++;
                context.Response.StatusCode = status;
                context.Response.Headers.Location = target.Url;
                return Task.CompletedTask;
            };
            var outcome = await CallAsync(http, type, receiver.Url, test);
            Assert.IsNotType<DeliveryOutcome.Accepted>(outcome);
            Assert.True(asked > 0);
        }

        Assert.Empty(target.Requests);
    }

    [Theory]
    [AllDatabases("127.0.0.1")]
    [AllDatabases("[::ffff:127.0.0.1]")]
    [AllDatabases("localhost")]
    public async Task Server_parks_a_destination_with_such_an_address_and_says_why(DatabaseKind database, string host)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Outbound:AllowPrivateNetworks"] = "false" });
        var id = await app.Client.CreateDestinationAsync("webhook", Config("webhook", $"http://{host}:{Port}/"));
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), Photos.Jpeg());

        var parked = await Eventually.Becomes(() => app.DestinationAsync(id), row => row.ParkedReason is not null, "the destination is parked");

        Assert.Equal(0, parked.Breaker.WindowAttempts);
        var path = $"projects/{app.ProjectId}/destinations/{id}";
        Assert.Contains(Refusal, (string)(await app.Client.GetAsync(path)).Json["problem"]!, StringComparison.Ordinal);
        var answer = (await app.Client.PostAsync(path + "/test")).Expect(HttpStatusCode.OK).Json;
        Assert.False((bool)answer["success"]!);
        Assert.Contains(Refusal, (string)answer["error"]!, StringComparison.Ordinal);
        Assert.False(_v4.Pending());
        Assert.False(_v6.Pending());
    }

    [Theory]
    [AllDatabases("127.0.0.1")]
    [AllDatabases("[::ffff:127.0.0.1]")]
    [AllDatabases("localhost")]
    public async Task Event_webhooks_do_not_reach_such_an_address_either(DatabaseKind database, string host)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Outbound:AllowPrivateNetworks"] = "false" });
        var made = await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new JsonObject
        {
            ["url"] = $"http://{host}:{Port}/",
            ["topics"] = new JsonArray("*"),
        });
        var path = $"projects/{app.ProjectId}/webhooks/{(string)made.Expect(HttpStatusCode.Created).Json["id"]!}";

        var test = (await app.Client.PostAsync(path + "/test")).Expect(HttpStatusCode.OK).Json;
        Assert.Contains(Refusal, (string)test["message"]!, StringComparison.Ordinal);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg());
        await Eventually.Becomes(
            () => app.Client.GetAsync(path + "/deliveries"),
            answer => answer.Json["deliveries"]!.AsArray()
                .Count(row => ((string?)row!["lastError"] ?? "").Contains(Refusal, StringComparison.Ordinal)) > 1,
            "the event was tried");

        Assert.False(_v4.Pending());
        Assert.False(_v6.Pending());
    }

    [Fact]
    public async Task Name_is_reached_at_the_first_of_its_addresses_that_answers()
    {
        await using var receiver = await Receiver.StartAsync();
        var port = new Uri(receiver.Url).Port;
        // Nobody listens at the first. The second is full and drops what comes: it may use up its share of the time, not that of the others.
        var (silent, full) = (IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3"));
        using var listener = new TcpListener(full, port);
        listener.Start(backlog: 0);
        using var filler = new TcpClient();
        await filler.ConnectAsync(full, port, Cancellation);
        using var http = new OutboundHttp(allowPrivateNetworks: true)
        {
            Resolve = (_, _) => Task.FromResult<IPAddress[]>([silent, full, .. Enumerable.Repeat(IPAddress.Loopback, 40)]),
        };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://several.example:{port}/");

        using var response = await Eventually.Arrives(http.SendAsync(request, Cancellation));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Name_without_an_address_is_told_from_one_that_must_not_be_reached()
    {
        using var http = new OutboundHttp(allowPrivateNetworks: false) { Resolve = (_, _) => Task.FromResult<IPAddress[]>([]) };

        var outcome = await CallAsync(http, "webhook", "http://nowhere.example/", test: true);

        Assert.Contains(NoSuchName, Assert.IsType<DeliveryOutcome.TryAgain>(outcome).Reason, StringComparison.Ordinal);
    }

    /// <returns>Null when the address is refused as soon as it is saved.</returns>
    private static async Task<DeliveryOutcome?> CallAsync(OutboundHttp http, string name, string address, bool test)
    {
        var type = DestinationTypes.BuiltIn(http).Single(type => type.Type == name);
        var (values, errors) = DestinationConfig.Validate(type.Fields, Config(name, address));
        if (errors.Count > 0)
            return null;

        var config = new DestinationConfig(type.Fields, values) { ProjectSecret = Sample.Secret };
        return await (test ? type.TestAsync(config, Cancellation) : type.DeliverAsync(Sample.Delivery(config), Cancellation));
    }

    private static JsonObject Config(string type, string address) => type switch
    {
        "webhook" or "odoo" => new JsonObject { ["url"] = address, ["secret"] = "secret" },
        "s3" => new JsonObject
        {
            ["bucket"] = "photos",
            ["region"] = "us-east-1",
            ["accessKeyId"] = "id",
            ["secretAccessKey"] = "secret",
            ["endpoint"] = address,
        },
        _ => new JsonObject
        {
            ["bucket"] = "photos",
            ["serviceAccountJson"] = new JsonObject
            {
                ["client_email"] = "a@example.iam.gserviceaccount.com",
                ["private_key"] = _privateKey.Value,
                ["token_uri"] = address,
            },
        },
    };

    /// <summary>Every address in every form that a URL can have it in.</summary>
    private static List<string> Hosts()
    {
        var hosts = new List<string>(_spellings);
        hosts.AddRange(_special6.Select(address => $"[{address}]"));
        foreach (var address in _special4)
        {
            var bytes = IPAddress.Parse(address).GetAddressBytes();
            var number = ((uint)bytes[0] << 24) | ((uint)bytes[1] << 16) | ((uint)bytes[2] << 8) | bytes[3];
            var (high, low) = (number >> 16, number & 0xFFFF);
            hosts.Add(address);
            hosts.Add(number.ToString(CultureInfo.InvariantCulture));
            hosts.Add($"0x{number:x8}");
            hosts.Add("0" + Convert.ToString(number, 8));
            hosts.Add(string.Join('.', bytes.Select(b => $"0x{b:x}")));
            hosts.Add(string.Join('.', bytes.Select(b => "0" + Convert.ToString(b, 8))));
            hosts.Add($"{bytes[0]}.{bytes[1]}.{number & 0xFFFF}");
            hosts.Add($"[::ffff:{address}]");
            hosts.Add($"[64:ff9b::{high:x}:{low:x}]");
            hosts.Add($"[2002:{high:x}:{low:x}::1]");
        }

        return [.. hosts.Distinct()];
    }

    /// <summary>One port of every address: the same one must be free in both families.</summary>
    private static (TcpListener V4, TcpListener V6) ListenOnBoth()
    {
        while (true)
        {
            var v4 = new TcpListener(IPAddress.Any, 0);
            v4.Start();
            var v6 = new TcpListener(IPAddress.IPv6Any, ((IPEndPoint)v4.LocalEndpoint).Port);
            v6.Server.DualMode = false;
            try
            {
                v6.Start();
                return (v4, v6);
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                v4.Dispose();
                v6.Dispose();
            }
        }
    }
}
