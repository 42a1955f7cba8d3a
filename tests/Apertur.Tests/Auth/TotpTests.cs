using System.Text;
using Apertur.Server.Auth;

namespace Apertur.Tests.Auth;

public sealed class TotpTests
{
    private static readonly byte[] _secret = Encoding.ASCII.GetBytes("12345678901234567890");

    // RFC 6238, appendix B: the last six of its eight digits.
    [Theory]
    [InlineData(59, "287082")]
    [InlineData(1111111109, "081804")]
    [InlineData(1111111111, "050471")]
    [InlineData(1234567890, "005924")]
    [InlineData(2000000000, "279037")]
    [InlineData(20000000000, "353130")]
    public void Codes_are_those_of_the_standard(long time, string code)
    {
        Assert.Equal(time / 30, Totp.Verify(_secret, code, default, DateTimeOffset.FromUnixTimeSeconds(time)));
    }

    [Theory]
    [InlineData(-60, false)]
    [InlineData(-30, true)]
    [InlineData(30, true)]
    [InlineData(60, false)]
    public void Clocks_may_differ_by_one_step(int seconds, bool good)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1111111110);

        var step = Totp.Verify(_secret, new OtpNet.Totp(_secret).ComputeTotp(now.AddSeconds(seconds).UtcDateTime), default, now);

        Assert.Equal(good, step is not null);
    }

    [Fact]
    public void A_code_is_good_once()
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1111111110);
        var step = Totp.Verify(_secret, "050471", default, now);

        Assert.NotNull(step);
        Assert.Null(Totp.Verify(_secret, "050471", new(step.Value, step.Value), now));
    }

    [Fact]
    public void A_code_is_good_once_also_while_the_clock_is_set_back()
    {
        const long Step = 1111111110 / 30;
        // Accepted before the clock was set back by a day, and since then.
        var used = new UsedCodes(Step, Step + 2880);

        Assert.Null(Verify(Step, used, at: Step));
        Assert.NotNull(Verify(Step + 1, used, at: Step + 1));
    }

    [Theory]
    [InlineData(-3, false)]
    [InlineData(-4, true)]
    public void Codes_of_steps_around_the_latest_one_stay_used_up_when_the_clock_is_set_back(int steps, bool good)
    {
        const long Step = 1111111110 / 30;

        Assert.Equal(good, Verify(Step + steps + 1, new UsedCodes(Step, Step), at: Step + steps) is not null);
    }

    [Fact]
    public void The_last_code_counts_while_the_clock_cannot_have_been_set_back()
    {
        const long Step = 1111111110 / 30;

        Assert.Null(Verify(Step - 2, new UsedCodes(Step, Step + 2880), at: Step - 1));
        Assert.NotNull(Verify(Step - 3, new UsedCodes(Step, Step + 2880), at: Step - 2));
    }

    [Fact]
    public void Latest_of_all_codes_is_remembered_beside_the_last_one()
    {
        Assert.Equal(new(5, 9), new UsedCodes(3, 9).With(5));
        Assert.Equal(new(10, 10), new UsedCodes(3, 9).With(10));
    }

    [Fact]
    public void White_space_around_a_code_is_none_of_it() =>
        Assert.NotNull(Totp.Verify(_secret, " 050471\t", default, DateTimeOffset.FromUnixTimeSeconds(1111111110)));

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("5047")]
    [InlineData("050471 050471")]
    [InlineData("٠٥٠٤٧١")]
    public void What_is_not_six_digits_is_not_a_code(string? code) =>
        Assert.Null(Totp.Verify(_secret, code, default, DateTimeOffset.FromUnixTimeSeconds(1111111110)));

    // RFC 4648, section 10, and the secret above as apps want it typed.
    [Theory]
    [InlineData("foobar", "MZXW6YTBOI")]
    [InlineData("12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    public void Secrets_are_written_for_typing(string secret, string text) => Assert.Equal(text, Totp.Text(Encoding.ASCII.GetBytes(secret)));

    [Fact]
    public void Address_tells_an_app_whose_code_it_is_and_for_what() => Assert.Equal(
        "otpauth://totp/Apertur:till%204?secret=MZXW6YTBOI&issuer=Apertur", Totp.Address(Encoding.ASCII.GetBytes("foobar"), "till 4"));

    private static long? Verify(long step, UsedCodes used, long at)
    {
        var code = new OtpNet.Totp(_secret).ComputeTotp(DateTimeOffset.FromUnixTimeSeconds(step * 30).UtcDateTime);
        return Totp.Verify(_secret, code, used, DateTimeOffset.FromUnixTimeSeconds(at * 30));
    }
}
