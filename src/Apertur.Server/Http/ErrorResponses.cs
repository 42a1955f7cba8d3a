using Apertur.Destinations;
using Apertur.Server.Pages;
using Apertur.Server.Storage;
using Apertur.Server.Telemetry;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Apertur.Server.Http;

/// <summary>The one place where exceptions, and refusals of the framework, become answers in the shape of the wire.</summary>
internal sealed partial class ErrorResponses(RequestDelegate next, StopDeadline stop, TimeProvider clock, ILogger<ErrorResponses> log)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (Exception exception) when (
            exception is ConnectionResetException or ConnectionAbortedException
            || (context.RequestAborted.IsCancellationRequested && exception is not ApiErrorException))
        {
            // Nobody is there to read an answer.
            TakeNoMore(context);
            return;
        }
        catch (Exception exception)
        {
            var error = Translate(exception);
            if (error.StatusCode >= 500)
                LogFailure(context.GetEndpoint()?.DisplayName, error.Code, exception);
            if (context.Response.HasStarted)
                throw;

            context.Response.Clear();
            await BodyDrain.RunAsync(context, clock, stop.Passed.IsCancellationRequested ? StopDeadline.Grace : BodyDrain.MaxTime);
            if (exception is BadHttpRequestException || stop.IsStopping)
                TakeNoMore(context);
            await AnswerAsync(context, error);
            return;
        }

        if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentLength: null or 0, ContentType: null })
            await AnswerAsync(context, OfStatus(context.Response.StatusCode));
    }

    /// <summary>
    /// Closes the connection after an incomplete body: no other request follows it, and Kestrel would log a warning on looking for one.
    /// </summary>
    private static void TakeNoMore(HttpContext context) => context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();

    private static Task AnswerAsync(HttpContext context, ApiError error)
    {
        Instruments.Refusals.Add(1, new KeyValuePair<string, object?>("code", error.Code));
        if (!NoticePage.IsReadIn(context.Request))
            return error.WriteAsync(context);
        error.SetRetryAfter(context.Response);
        return NoticePage.Refusal(context.Request, error).ExecuteAsync(context);
    }

    private ApiError Translate(Exception exception) => exception switch
    {
        ApiErrorException refusal => refusal.Error,
        MultipartException { IsIncomplete: true } broken => ApiErrors.IncompleteBody(broken.Message),
        MultipartException malformed => ApiErrors.BadRequest(malformed.Message),
        BadHttpRequestException { StatusCode: 400 } bad => ApiErrors.BadRequest(bad.Message),
        // How the framework says that a form has a NUL in it, or too many fields, or one that is too long.
        InvalidDataException => ApiErrors.BadRequest("The form in the body of this request cannot be read."),
        BadHttpRequestException bad => OfStatus(bad.StatusCode),
        OperationCanceledException when stop.Passed.IsCancellationRequested => ApiErrors.Stopping,
        StoredImageException stored => OfImage(stored.Fault),
        RowHeldException => ApiErrors.Unavailable,
        // The client is still there (see above), so it was a time limit of ours.
        OperationCanceledException => ApiErrors.RequestTimeout,
        // How Kestrel says that the size of a chunk has too many digits.
        IOException { InnerException: OverflowException } => ApiErrors.BadRequest("The size of a chunk of the body cannot be read."),
        _ => StorageFault.Of(exception) switch
        {
            StorageFaultKind.NoRoom => ApiErrors.DiskFull,
            StorageFaultKind.Unavailable => ApiErrors.Unavailable,
            _ => ApiErrors.Crashed,
        },
    };

    private static ApiError OfImage(ImageFault fault) => fault switch
    {
        ImageFault.Missing => ApiErrors.ImageMissing,
        ImageFault.Unreadable => ApiErrors.Unavailable,
        _ => ApiErrors.ImageDamaged,
    };

    private static ApiError OfStatus(int status) => status switch
    {
        404 => ApiErrors.RouteNotFound,
        405 => ApiErrors.MethodNotAllowed,
        408 => ApiErrors.RequestTimeout,
        413 => ApiErrors.BodyTooLarge,
        415 => ApiErrors.UnsupportedBody("JSON"),
        503 => ApiErrors.Unavailable,
        >= 500 => ApiErrors.Crashed,
        _ => ApiErrors.BadRequest("This request cannot be understood.") with { StatusCode = status },
    };

    [LoggerMessage(EventName = "request.failed", Level = LogLevel.Error, Message = "{Route} answered {Code}")]
    private partial void LogFailure(string? route, string code, Exception exception);
}
