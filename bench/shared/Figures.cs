namespace Apertur.Bench;

/// <summary>What many measurements say.</summary>
internal static class Figures
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }

    /// <summary>The value that so large a share of all does not exceed.</summary>
    /// <param name="values">In any order.</param>
    /// <param name="share">From 0 to 1.</param>
    public static double At(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToArray();
        return sorted[(int)Math.Min(sorted.Length - 1, sorted.Length * share)];
    }

    /// <summary>Lets time pass that is measured, or that the server needs.</summary>
    public static void Pause(TimeSpan time) => Task.Delay(time, TimeProvider.System).GetAwaiter().GetResult();

    /// <summary>The median, with the smallest and the largest.</summary>
    public static string Spread(IReadOnlyCollection<double> values, string format) =>
        $"{Median(values).ToString(format, null)} ({values.Min().ToString(format, null)} to {values.Max().ToString(format, null)})";
}
