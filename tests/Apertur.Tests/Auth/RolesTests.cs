using Apertur.Server.Auth;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Auth;

public sealed class RolesTests
{
    [Fact]
    public async Task Table_of_roles_in_the_docs_is_what_the_program_does()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var rows = RouteTable.Of(app).Where(route => route.Rule?.Needed is not null).Select(Row);
        var table = string.Join('\n', ["| call | viewer | developer | admin | owner | API key |", "|---|---|---|---|---|---|", .. rows]);

        var docs = RepositoryFiles.Read("docs/roles.md").Replace("\r", "", StringComparison.Ordinal);

        Assert.True(docs.Contains(table, StringComparison.Ordinal), "docs/roles.md must hold this table:\n" + table);
    }

    [Fact]
    public async Task Every_route_says_who_may_call_it()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var routes = RouteTable.Of(app);

        Assert.All(routes, route => Assert.True(route.Rule is not null, $"{route} has no access rule"));
        // What is in a project takes a role there; a key's role is fixed, so a route that needs more is for people.
        Assert.All(
            routes.Where(route => route.Pattern.Contains("{projectId}", StringComparison.Ordinal) || route.Rule!.Access == Access.Caller),
            route => Assert.True(route.Rule!.Needed is not null, $"{route} needs no role"));
        Assert.All(
            routes.Where(route => route.Rule!.Needed > ApiKey.Role),
            route => Assert.Equal(Access.Person, route.Rule!.Access));
    }

    private static string Row(Route route)
    {
        var cells = Enum.GetValues<Role>().Select(role => role >= route.Rule!.Needed)
            .Append(route.Rule!.Access == Access.Caller && ApiKey.Role >= route.Rule.Needed);
        return $"| `{route.Method} {route.Pattern}` | {string.Join(" | ", cells.Select(may => may ? "yes" : "–"))} |";
    }
}
