namespace Apertur.Bench;

/// <summary>What can be measured.</summary>
/// <param name="Name">Its folder.</param>
/// <param name="About">A sentence.</param>
/// <param name="Run">Measures and prints.</param>
/// <param name="Options">How much of it.</param>
internal sealed record Question(string Name, string About, Action<Setup> Run, Option[] Options);

/// <summary>How much of something.</summary>
/// <param name="Name">As in <c>--name</c>.</param>
/// <param name="Default">Enough for a figure.</param>
/// <param name="Small">Enough to see that it works.</param>
internal sealed record Option(string Name, int Default, int Small);

/// <summary>What a measurement is made with.</summary>
/// <param name="Program">The server's program.</param>
/// <param name="Folder">For what it leaves on disk; it is removed afterwards.</param>
/// <param name="Options">How much; see <see cref="Question.Options"/>.</param>
internal sealed record Setup(string Program, string Folder, IReadOnlyDictionary<string, int> Options)
{
    public int this[string option] => Options[option];

    /// <summary>An installation of its own, on SQLite, or on PostgreSQL when <c>BENCH_POSTGRES</c> has a connection string.</summary>
    public Installation Install() => Install(Environment.GetEnvironmentVariable("BENCH_POSTGRES"));

    /// <inheritdoc cref="Installation.Make"/>
    public Installation Install(string? postgres, bool allowDataLoss = false) => Installation.Make(Program, Folder, postgres, allowDataLoss);

    /// <summary>Starts a server on an installation of its own.</summary>
    public Ours Start() => Install().Serve();
}
