using System.Reflection;
using System.Text.Json;
using Apertur.Server.Accounts;
using Apertur.Server.Auth;
using Apertur.Server.Storage;

namespace Apertur.Server.Audit;

/// <summary>
/// Writes the audit log. Every call that changes something in a project is written down by itself, whatever route it came by, after it
/// worked and before its answer leaves; a route opts out with <see cref="Unaudited"/>.
/// </summary>
internal sealed class AuditLog(Database database, TimeProvider clock)
{
    private const string ApiSuffix = "Api";

    public void Watch(HttpContext context, RouteEndpoint endpoint, Caller caller)
    {
        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method)
            || endpoint.Metadata.GetMetadata<Unaudited>() is not null
            || endpoint.Metadata.GetMetadata<MethodInfo>() is not { } handler)
        {
            return;
        }

        context.Response.OnStarting(async () =>
        {
            if (context.Response.StatusCode is >= 200 and < 300 && caller.Project is { } projectId)
                await WriteAsync(Describe(context, handler, caller, projectId));
        });
    }

    /// <summary>An act of a person who is not signed in, such as somebody following an invitation.</summary>
    public static void Add(AperturDb db, Guid projectId, User person, string action, Guid? thing, string? address, DateTimeOffset now) =>
        db.AuditLog.Add(new AuditEntry
        {
            Id = Guid.CreateVersion7(now).ToString(),
            ProjectId = projectId,
            ActorType = "person",
            ActorId = person.Id,
            ActorName = person.Email,
            Action = action,
            ThingId = thing?.ToString(),
            Address = address,
            CreatedAt = now,
        });

    /// <summary>An act on the command line.</summary>
    public static void AddOperator(AperturDb db, Guid projectId, string action, Guid thing, DateTimeOffset now) =>
        db.AuditLog.Add(new AuditEntry
        {
            Id = Guid.CreateVersion7(now).ToString(),
            ProjectId = projectId,
            ActorType = "operator",
            ActorName = "command line",
            Action = action,
            ThingId = thing.ToString(),
            CreatedAt = now,
        });

    private AuditEntry Describe(HttpContext context, MethodInfo handler, Caller caller, Guid projectId)
    {
        var now = clock.GetUtcNow();
        var values = context.Request.RouteValues;
        return new AuditEntry
        {
            Id = Guid.CreateVersion7(now).ToString(),
            ProjectId = projectId,
            ActorType = caller.Person is null ? "key" : "person",
            ActorId = caller.Person?.Id ?? caller.Key!.Id,
            ActorName = caller.Person?.Email ?? caller.Key!.Prefix,
            Action = ActionOf(handler),
            // What was made tells its place; what was changed stands in the path.
            ThingId = context.Response.Headers.Location.ToString() is { Length: > 0 } place
                ? place.Split('/').Last(part => part.Length > 0)
                : (values["id"] ?? values["userId"] ?? values["projectId"]) as string,
            Address = context.Connection.RemoteIpAddress?.ToString(),
            CreatedAt = now,
        };
    }

    // The call is done; nobody's impatience may leave it out of the log.
    private Task WriteAsync(AuditEntry entry) =>
        database.AddAsync([entry], CancellationToken.None);

    /// <summary><c>DestinationsApi.Create</c> is <c>destinations.create</c>.</summary>
    public static string ActionOf(MethodInfo handler)
    {
        var slice = handler.DeclaringType!.Name;
        slice = slice.EndsWith(ApiSuffix, StringComparison.Ordinal) ? slice[..^ApiSuffix.Length] : slice;
        return $"{JsonNamingPolicy.SnakeCaseLower.ConvertName(slice)}.{JsonNamingPolicy.SnakeCaseLower.ConvertName(handler.Name)}";
    }
}
