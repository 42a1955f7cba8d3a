using Apertur.Server.Projects;

namespace Apertur.Server.Auth;

/// <summary>Who may call a route. Every route carries one.</summary>
internal enum Access
{
    /// <summary>Anybody.</summary>
    Public,

    /// <summary>Whoever holds the link of the session in the path.</summary>
    Session,

    /// <summary>Whoever holds a link that works once.</summary>
    Link,

    /// <summary>An API key, or a signed-in person.</summary>
    Caller,

    /// <summary>A signed-in person.</summary>
    Person,

    /// <summary>A signed-in person who runs the server.</summary>
    Operator,
}

/// <summary>The metadata that says who may call a route.</summary>
/// <param name="Access">Which credential is asked for.</param>
/// <param name="Needed">The least role in the project concerned; null when no project is.</param>
internal sealed record AccessRule(Access Access, Role? Needed = null);

/// <summary>
/// Marks lists and sums over all projects of the caller, unless <c>?projectId=</c> names one. People see the live environment there unless
/// <c>?env=test</c> or <c>?env=all</c> asks for more.
/// </summary>
internal sealed record ChoosesScope;

/// <summary>Marks a route that writes no audit entry: it is called too often, or the data itself shows the same.</summary>
internal sealed record Unaudited;
