namespace Apertur.Tests.Contract;

/// <summary>
/// Files that hold what was once looked at and found right. With <c>APERTUR_ACCEPT=true</c> a comparison writes the file instead,
/// and the change is looked at in <c>git diff</c>.
/// </summary>
internal static class Accepting
{
    private static bool IsOn => Environment.GetEnvironmentVariable("APERTUR_ACCEPT") == "true";

    public static void Compare(string path, string actual, string what, string tests = "Contract")
    {
        var accepted = File.Exists(path) ? File.ReadAllText(path) : "";
        if (accepted == actual)
            return;
        if (IsOn)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }

        Assert.Fail($"""
            {what} differs from {Path.GetFileName(path)}:

            {Difference(accepted.Split('\n'), actual.Split('\n'))}

            If that is meant, accept it: APERTUR_ACCEPT=true ./test {tests}
            """);
    }

    /// <summary>The lines between what both begin and what both end with, after two that they share.</summary>
    private static string Difference(string[] accepted, string[] actual)
    {
        var most = Math.Min(accepted.Length, actual.Length);
        var begin = Enumerable.Range(0, most).TakeWhile(i => accepted[i] == actual[i]).Count();
        var end = Enumerable.Range(1, most - begin).TakeWhile(i => accepted[^i] == actual[^i]).Count();
        return string.Join('\n', [
            .. accepted[Math.Max(0, begin - 2)..begin].Select(line => "  " + line),
            .. accepted[begin..^end].Take(40).Select(line => "- " + line),
            .. actual[begin..^end].Take(40).Select(line => "+ " + line)]);
    }
}
