using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Apertur.Tests.Support.LongestFirst))]

namespace Apertur.Tests.Support;

/// <summary>
/// Begins with what takes minutes, of which most is waiting: where it came last, the whole run would wait for it with nothing else to do.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] _long = ["Apertur.Tests.Scenarios.", "Apertur.Tests.Deployment.", "Apertur.Tests.Replays."];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Array.Exists(_long, name => collection.TestCollectionDisplayName.Contains(name, StringComparison.Ordinal)) ? 0 : 1)];
}
