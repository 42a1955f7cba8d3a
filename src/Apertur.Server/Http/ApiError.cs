using System.Text.Json.Serialization;
using Apertur.Server.Contract;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Http;

/// <summary>
/// A refusal as the wire has it. Handlers return it, and code too deep to return it throws it as <see cref="ApiErrorException"/>. The
/// catalogue is <see cref="ApiErrors"/>.
/// </summary>
internal sealed record ApiError(int StatusCode, string Error, string Code, string Message) : IResult
{
    /// <summary>Seconds, also sent as the header of that name.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RetryAfter { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<FieldError>? Errors { get; init; }

    /// <summary>Why the server is not ready; in the answer of <c>readyz</c> only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<HealthProblem>? Problems { get; init; }

    public Task ExecuteAsync(HttpContext httpContext)
    {
        Count();
        httpContext.Response.StatusCode = StatusCode;
        // RFC 9110, 15.5.2; some clients cannot read a 401 without it.
        if (StatusCode == 401)
            httpContext.Response.Headers.WWWAuthenticate = "Bearer";
        SetRetryAfter(httpContext.Response);
        return httpContext.Response.WriteAsJsonAsync(this, WireJson.Wire.ApiError, cancellationToken: httpContext.RequestAborted);
    }

    public void Count() => Instruments.Refusals.Add(1, new KeyValuePair<string, object?>("code", Code));

    public void SetRetryAfter(HttpResponse response)
    {
        if (RetryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    public ApiErrorException ToException() => new(this);
}

/// <summary>What is wrong with one field of a request.</summary>
internal sealed record FieldError(string Field, string Message);

/// <summary>Carries a refusal out of code that cannot return it.</summary>
internal sealed class ApiErrorException(ApiError error) : Exception(error.Message)
{
    public ApiError Error { get; } = error;
}
