namespace Apertur.Server.Http;

/// <summary>What is left of a rate limit. The windows are minutes of the clock, so that a refusal can say when to try again.</summary>
/// <param name="Limit">Requests allowed in the minute.</param>
/// <param name="Used">Requests counted in it, refused ones included.</param>
/// <param name="ResetsAt">When the next minute begins, in unix seconds.</param>
/// <param name="RetryAfter">Seconds until then, at least 1.</param>
internal readonly record struct RateState(int Limit, int Used, long ResetsAt, int RetryAfter)
{
    private const int Seconds = 60;

    public int Remaining => Math.Max(0, Limit - Used);

    public bool IsExceeded => Used > Limit;

    /// <summary>The minute that an instant is in.</summary>
    public static long MinuteOf(DateTimeOffset now) => now.ToUnixTimeSeconds() / Seconds;

    public static RateState Of(int limit, int used, DateTimeOffset now)
    {
        var resetsAt = (MinuteOf(now) + 1) * Seconds;
        return new(limit, used, resetsAt, (int)(resetsAt - now.ToUnixTimeSeconds()));
    }
}
