using Apertur.Server.Http;

namespace Apertur.Server.Health;

/// <summary>
/// One thing that <c>readyz</c> looks at. To add one, register it as a service of this type: nothing else mentions it. However often
/// somebody asks, it runs at most once in <see cref="Readiness.Freshness"/> and never twice at a time.
/// </summary>
internal interface IReadinessCheck
{
    /// <summary>What is looked at, such as <c>database</c>.</summary>
    string Name { get; }

    /// <summary>Looks. What it throws is a failure in general words, and so is taking longer than <see cref="Readiness.Longest"/>.</summary>
    /// <returns>What is wrong; null when nothing is.</returns>
    Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken);
}

/// <summary>What a check found.</summary>
/// <param name="Detail">What is wrong and what to do, in one sentence. Anybody may read it: no paths, addresses or ids.</param>
/// <param name="Refusal">What <c>readyz</c> answers, so that balancers stay away; null when photos are taken in all the same.</param>
internal sealed record ReadinessProblem(string Detail, ApiError? Refusal)
{
    /// <summary>Name of the check that found it.</summary>
    public string Check { get; init; } = "";
}
