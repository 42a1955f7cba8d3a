using System.Globalization;
using Apertur.Server.Projects;
using Apertur.Server.Tus;

namespace Apertur.Server.Http;

/// <summary>The catalogue of errors. Messages tell a developer, or the person with the phone, what to do.</summary>
internal static class ApiErrors
{
    public static ApiError Validation(string field, string message) => Validation([new FieldError(field, message)]);

    public static ApiError Validation(IReadOnlyList<FieldError> errors) =>
        BadRequest(string.Join(' ', errors.Select(error => error.Message))) with { Errors = errors };

    public static ApiError BadRequest(string message) => new(400, "Bad Request", "VALIDATION_ERROR", message);

    /// <summary>Not a verdict on what was sent: the same again may be taken.</summary>
    public static ApiError IncompleteBody(string message) => new(400, "Bad Request", "INCOMPLETE_BODY", message);

    public static ApiError Unauthenticated(string message) => new(401, "Unauthorized", "AUTHENTICATION_FAILED", message);

    public static ApiError TotpRequired { get; } = new(401, "Unauthorized", "TOTP_REQUIRED",
        "This account asks for a code from an authenticator app. Send it as 'totp'.");

    public static ApiError AccountDisabled { get; } = Forbidden("This account has been disabled.");

    public static ApiError RoleTooLow(Role needed) => Forbidden($"Your role in this project does not allow this. It takes at least: {needed.WireName()}.");

    public static ApiError LastOwner { get; } =
        new(409, "Conflict", "LAST_OWNER", "A project needs an owner. Make another member an owner first.");

    public static ApiError Forbidden(string message) => new(403, "Forbidden", "FORBIDDEN", message);

    /// <summary>One text for "does not exist" and "is not yours", so that the two cannot be told apart.</summary>
    public static ApiError NotFound { get; } = new(404, "Not Found", "NOT_FOUND", "There is no such thing here, or you have no access to it.");

    private static ApiError TooManyStreams(string who, int most) => new(429, "Too Many Requests", "RATE_LIMIT",
        string.Create(CultureInfo.InvariantCulture, $"{who} already has {most} event streams open."))
    {
        RetryAfter = 30,
    };

    /// <summary>What the link leads to cannot be made of the image.</summary>
    public static ApiError NoRendition(string reason) => new(404, "Not Found", "NOT_FOUND", reason);

    public static ApiError NoThumbnail { get; } = new(404, "Not Found", "NOT_FOUND", "This image has no thumbnail.");

    public static ApiError RouteNotFound { get; } = new(404, "Not Found", "NOT_FOUND", "This address is not part of the API.");

    public static ApiError MethodNotAllowed { get; } =
        new(405, "Method Not Allowed", "METHOD_NOT_ALLOWED", "This address exists, but not with this HTTP method.");

    public static ApiError RequestTimeout { get; } =
        new(408, "Request Timeout", "REQUEST_TIMEOUT", "The upload was too slow and has been ended. Please try again with a better connection.");

    public static ApiError SessionCompleted { get; } =
        new(409, "Conflict", "SESSION_COMPLETED", "This upload session has been closed. It takes no more photos.");

    public static ApiError AlreadyAcknowledged { get; } =
        new(409, "Conflict", "ALREADY_ACKNOWLEDGED", "This image has been acknowledged already.");

    public static ApiError IdempotencyConflict { get; } = new(409, "Conflict", "IDEMPOTENCY_CONFLICT",
        "Another request with other contents has used this Idempotency-Key. Send a repeat as it was, or something new under a new key.");

    public static ApiError TooLate { get; } = new(409, "Conflict", "TOO_LATE",
        "This photo can be neither taken back nor changed any more: it belongs to a part that is done, or the upload session is over.");

    public static ApiError OffsetConflict { get; } = new(409, "Conflict", "OFFSET_CONFLICT",
        "These bytes do not go on where the upload ends now, or another request has taken over. Ask for Upload-Offset and go on from there.");

    public static ApiError TusVersion { get; } = new(412, "Precondition Failed", "TUS_VERSION",
        $"This server speaks tus {TusHeaders.Version}: send it as {TusHeaders.Resumable}.");

    public static ApiError LongerThanAnnounced { get; } = new(413, "Payload Too Large", "BODY_TOO_LARGE",
        $"More bytes came than {TusHeaders.Length} announced.");

    public static ApiError ChecksumMismatch { get; } = new(460, "Checksum Mismatch", "DIGEST_MISMATCH",
        "The bytes did not arrive as they were sent: their checksum is another one. Please send them again.");

    public static ApiError SessionExpired(DateTimeOffset expiresAt) => new(410, "Gone", "SESSION_EXPIRED",
        "This upload session expired at " + expiresAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture)
        + ". Please ask for a new link.");

    public static ApiError ImageTooLarge(int maxMb) => new(413, "Payload Too Large", "IMAGE_TOO_LARGE",
        string.Create(CultureInfo.InvariantCulture, $"This photo is too large. At most {maxMb} MB are allowed here."));

    public static ApiError BodyTooLarge { get; } =
        new(413, "Payload Too Large", "BODY_TOO_LARGE", "The body of this request is larger than this call allows.");

    public static ApiError ImageTooManyPixels(int width, int height, int max) => new(413, "Payload Too Large", "IMAGE_TOO_LARGE",
        string.Create(CultureInfo.InvariantCulture, $"This photo is {width} × {height} pixels. At most {max} on the longer side are allowed here."));

    public static ApiError UnsupportedImage(IEnumerable<string> allowed) => new(415, "Unsupported Media Type", "UNSUPPORTED_IMAGE_TYPE",
        $"This file is not a photo of a kind that is allowed here. Allowed are: {string.Join(", ", allowed.Select(type => type["image/".Length..].ToUpperInvariant()))}.");

    public static ApiError DamagedImage { get; } = new(415, "Unsupported Media Type", "UNSUPPORTED_IMAGE_TYPE",
        "This photo cannot be read: the file is damaged or incomplete.");

    /// <summary>Better no photo than one that tells what its sender was promised it would not.</summary>
    public static ApiError MetadataNotRemovable { get; } = new(415, "Unsupported Media Type", "UNSUPPORTED_IMAGE_TYPE",
        "This photo cannot be taken here: what is to be removed from it, such as its location, cannot be found for certain. The file may be damaged.");

    public static ApiError UnsupportedBody(string expected) =>
        new(415, "Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE", $"The body of this request must be {expected}.");

    public static ApiError DigestMismatch { get; } = new(400, "Bad Request", "DIGEST_MISMATCH",
        "The photo did not arrive as it was sent: its digest is another one. Please send it again.");

    /// <summary>One text for whatever is wrong with it, so that nothing can be learned from the answer.</summary>
    public static ApiError WrongEnvelope { get; } = BadRequest(
        "The encrypted envelope cannot be opened. Encrypt with the key of GET /api/v1/encryption/server-key as the documentation says.");

    public static ApiError SessionFull(int maxImages) => new(422, "Unprocessable Entity", "SESSION_FULL",
        string.Create(CultureInfo.InvariantCulture, $"This upload session already has all of its {maxImages} photos."));

    public static ApiError TooManyGuesses(int seconds) => new(429, "Too Many Requests", "RATE_LIMIT",
        string.Create(CultureInfo.InvariantCulture, $"Too many attempts. Try again in {seconds} seconds."))
    {
        RetryAfter = seconds,
    };

    public static ApiError TooManyPasswords(TimeSpan wait) => new(429, "Too Many Requests", "RATE_LIMIT",
        "Too many wrong passwords were tried for this upload session. Please wait a little and try again.")
    {
        RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)),
    };

    public static ApiError TooManyStreams(int most) => TooManyStreams("This upload session", most);

    public static ApiError TooManyCallerStreams(int most) => TooManyStreams("Whoever asks", most);

    public static ApiError TooManyPartialUploads { get; } = new(429, "Too Many Requests", "RATE_LIMIT",
        "Too many photos of this upload session were begun and not finished. Finish or end some of them first.")
    {
        RetryAfter = 60,
    };

    public static ApiError RateLimited(int perMinute, int seconds) => new(429, "Too Many Requests", "RATE_LIMIT",
        string.Create(CultureInfo.InvariantCulture, $"More than {perMinute} requests of this kind came within a minute. Try again in {seconds} seconds."))
    {
        RetryAfter = seconds,
    };

    public static ApiError TooManyShares(int most, int seconds) => new(429, "Too Many Requests", "RATE_LIMIT",
        string.Create(CultureInfo.InvariantCulture, $"The link of this upload session was sent {most} times within an hour."))
    {
        RetryAfter = Math.Max(1, seconds),
    };

    public static ApiError TooManyFetches { get; } = new(429, "Too Many Requests", "RATE_LIMIT",
        "Too many photos are being fetched for this upload session, or by you, at the moment. Please try again shortly.")
    {
        RetryAfter = 3,
    };

    public static ApiError SourceNotOffered(string message) => new(403, "Forbidden", "SOURCE_NOT_OFFERED", message);

    public static ApiError SourceRefused(int status) => new(422, "Unprocessable Entity", "SOURCE_REFUSED",
        string.Create(CultureInfo.InvariantCulture, $"This address gives no photo out: it answered {status}."))
    {
        // What passes, such as too many requests there, is worth another try.
        RetryAfter = status is 408 or 429 or >= 500 ? 30 : null,
    };

    public static ApiError SourceTooSlow { get; } = new(422, "Unprocessable Entity", "SOURCE_TOO_SLOW",
        "This address gives the photo out too slowly. Please try again later, or send the photo itself.");

    /// <summary>One text for where nothing answers and for where nobody may look, so that nothing can be learned of a network from the answer.</summary>
    public static ApiError SourceUnreachable { get; } = new(422, "Unprocessable Entity", "SOURCE_UNREACHABLE",
        "No photo could be fetched: the server cannot reach this address. Please check it, or send the photo itself.");

    public static ApiError NotSent { get; } = new(502, "Bad Gateway", "NOT_SENT",
        "The message could not be handed over for sending. Please try again later.");

    public static ApiError Crashed { get; } = new(500, "Internal Server Error", "INTERNAL_ERROR",
        "Something went wrong on our side. Please try again.");

    public static ApiError ImageRemoved { get; } = new(410, "Gone", "IMAGE_REMOVED",
        "This photo was removed when its project's time for keeping photos was up.");

    public static ApiError ImageMissing { get; } = new(500, "Internal Server Error", "IMAGE_MISSING",
        "This photo was received, but its file is missing on the server. Whoever runs the server can put it back from a backup.");

    public static ApiError ImageDamaged { get; } = new(500, "Internal Server Error", "IMAGE_DAMAGED",
        "The stored file of this photo is damaged and is not given out. Whoever runs the server can put it back from a backup.");

    public static ApiError Unavailable { get; } = new(503, "Service Unavailable", "SERVICE_UNAVAILABLE",
        "The server is not ready at the moment. Please try again shortly.")
    {
        RetryAfter = 5,
    };

    /// <summary>Sent again, the photo is treated as the session says now.</summary>
    public static ApiError SessionChanged { get; } = Unavailable with
    {
        Message = "What is removed from photos of this upload session was changed while this one came in. Please send it again.",
        RetryAfter = 1,
    };

    public static ApiError Stopping { get; } = Unavailable with
    {
        Message = "The server is being stopped or restarted. Please try again shortly.",
    };

    public static ApiError DiskFull { get; } = new(507, "Insufficient Storage", "INSUFFICIENT_STORAGE",
        "The server has no room left for photos. Please try again later.");
}
