using Apertur.Server.Contract;
using Apertur.Server.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Apertur.Server.Health;

/// <summary>What a supervisor or balancer asks.</summary>
internal static class HealthApi
{
    /// <summary>Whether the server runs at all.</summary>
    public static Ok<HealthResponse> Alive() => TypedResults.Ok(new HealthResponse("ok"));

    /// <summary>
    /// Whether photos can be taken in now; <c>problems</c> says why not, or what else somebody has to look at. The answer is at most a few
    /// seconds old, and asking often costs nothing.
    /// </summary>
    public static async Task<Results<Ok<HealthResponse>, JsonHttpResult<ApiError>>> Ready(Readiness readiness, HttpResponse response, CancellationToken cancellationToken)
    {
        var problems = await readiness.LookAsync(cancellationToken);
        var told = problems.Count == 0 ? null : problems.Select(problem => new HealthProblem(problem.Check, problem.Detail)).ToList();
        if (problems.Select(problem => problem.Refusal).FirstOrDefault(refusal => refusal is not null) is not { } refusal)
            return TypedResults.Ok(new HealthResponse("ok") { Problems = told });
        // What was asked, not a failure to answer it.
        refusal.SetRetryAfter(response);
        return TypedResults.Json(refusal with { Problems = told }, WireJson.Wire.ApiError, statusCode: refusal.StatusCode);
    }
}
