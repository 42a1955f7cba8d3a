using System.Text.Json.Serialization;
using Apertur.Server.Contract;

namespace Apertur.Server.Http;

/// <summary>
/// A refusal as the wire has it. Whoever refuses throws it as <see cref="ApiErrorException"/>, handlers like everything below them; it is no
/// result, so it cannot be returned from one. The catalogue is <see cref="ApiErrors"/>.
/// </summary>
internal sealed record ApiError(int StatusCode, string Error, string Code, string Message)
{
    /// <summary>Seconds, also sent as the header of that name.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RetryAfter { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<FieldError>? Errors { get; init; }

    /// <summary>Why the server is not ready; in the answer of <c>readyz</c> only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<HealthProblem>? Problems { get; init; }

    public Task WriteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCode;
        // RFC 9110, 15.5.2; some clients cannot read a 401 without it.
        if (StatusCode == 401)
            httpContext.Response.Headers.WWWAuthenticate = "Bearer";
        SetRetryAfter(httpContext.Response);
        return httpContext.Response.WriteAsJsonAsync(this, WireJson.Wire.ApiError, cancellationToken: httpContext.RequestAborted);
    }

    public void SetRetryAfter(HttpResponse response)
    {
        if (RetryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    public ApiErrorException ToException() => new(this);
}

/// <summary>What is wrong with one field of a request.</summary>
internal sealed record FieldError(string Field, string Message);

/// <summary>Carries a refusal to <see cref="ErrorResponses"/>.</summary>
internal sealed class ApiErrorException(ApiError error) : Exception(error.Message)
{
    public ApiError Error { get; } = error;
}
