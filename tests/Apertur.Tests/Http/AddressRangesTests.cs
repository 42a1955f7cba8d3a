using System.Net;
using Apertur.Server.Http;

namespace Apertur.Tests.Http;

public sealed class AddressRangesTests
{
    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7", true)]
    [InlineData("192.0.2.7", "192.0.2.8", false)]
    [InlineData("192.0.2.7/24", "192.0.2.255", true)]
    [InlineData("192.0.2.0/24", "192.0.3.0", false)]
    [InlineData("192.0.2.0/25", "192.0.2.128", false)]
    [InlineData("192.0.2.0/24", "::ffff:192.0.2.9", true)]
    [InlineData("::ffff:192.0.2.0/120", "192.0.2.9", true)]
    [InlineData("::ffff:192.0.2.9", "192.0.2.9", true)]
    [InlineData("::ffff:0:0/96", "8.8.8.8", true)]
    [InlineData("2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("2001:db8::/32", "2001:db9::1", false)]
    [InlineData("2001:DB8:0:0::1", "2001:db8::1", true)]
    [InlineData("0.0.0.0/0", "8.8.8.8", true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("::/0", "8.8.8.8", false)]
    [InlineData("::/0", "::ffff:8.8.8.8", false)]
    [InlineData("::ffff:0:0/64", "::1", true)]
    public void Address_is_inside_or_outside(string range, string address, bool inside) =>
        Assert.Equal(inside, AddressRanges.Contain([range], IPAddress.Parse(address)));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("localhost")]
    [InlineData("10.1")]
    [InlineData("010.0.0.1")]
    [InlineData("0x7f.0.0.1")]
    [InlineData("2130706433")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("10.0.0.0/ 8")]
    [InlineData("2001:db8::/129")]
    [InlineData("fe80::1%eth0")]
    [InlineData("[::1]:80")]
    public void What_is_no_address_is_refused(string? text) => Assert.False(AddressRanges.TryParse(text, out _));

    [Fact]
    public void First_that_is_no_address_is_named()
    {
        Assert.Equal("10.1", AddressRanges.Problem(["192.0.2.7", "10.1", "10.2"]));
        Assert.Equal("null", AddressRanges.Problem(["192.0.2.0/24", null]));
        Assert.Null(AddressRanges.Problem(["192.0.2.7", "2001:db8::/32"]));
        Assert.Throws<FormatException>(() => AddressRanges.Parse("10.1"));
    }

    [Fact]
    public void Unknown_address_is_inside_of_nothing() => Assert.False(AddressRanges.Contain(["0.0.0.0/0", "::/0"], null));

    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("2001:db8:1:2:ffff::9", "2001:db8:1:2::")]
    [InlineData(null, "")]
    public void Whoever_has_an_address_of_IPv6_is_counted_by_its_network(string? address, string subject) =>
        Assert.Equal(subject, AddressRanges.Subject(address is null ? null : IPAddress.Parse(address)));
}
