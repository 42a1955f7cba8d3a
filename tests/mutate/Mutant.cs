namespace Apertur.Mutate;

/// <summary>One change of one place in the code.</summary>
/// <param name="File">From the root of the repository.</param>
/// <param name="Line">From 1.</param>
/// <param name="LastLine">Of the place.</param>
/// <param name="Start">Where the place begins in the file's text.</param>
/// <param name="Length">Of the place.</param>
/// <param name="Says">What was changed, for people.</param>
/// <param name="Wrap">
/// Given a condition that holds while this mutant is switched on, and the place as it would stand without it: what stands there instead, on as
/// many lines.
/// </param>
internal sealed record Mutant(string File, int Line, int LastLine, int Start, int Length, string Says, Func<string, string, string> Wrap)
{
    /// <summary>What switches it on; given when it is chosen.</summary>
    public int Number { get; init; }

    public Area Area { get; init; } = Area.All[0];

    public int End => Start + Length;

    public override string ToString() => $"{File}:{Line}  {Says}";
}
