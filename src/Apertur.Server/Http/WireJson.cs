using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Apertur.Server.Contract;

namespace Apertur.Server.Http;

/// <summary>How JSON is read and written on the wire: camelCase unless a record says otherwise, nulls present, instants with milliseconds.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(InstantJson), typeof(BooleanJson)], NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(CreateSessionRequest))]
[JsonSerializable(typeof(CreateSessionResponse))]
[JsonSerializable(typeof(SessionInfo))]
[JsonSerializable(typeof(SessionDetails))]
[JsonSerializable(typeof(EventTicketResponse))]
[JsonSerializable(typeof(SessionPhotos))]
[JsonSerializable(typeof(UpdateSessionRequest))]
[JsonSerializable(typeof(FetchRequest))]
[JsonSerializable(typeof(VerifyPasswordRequest))]
[JsonSerializable(typeof(VerifyPasswordResponse))]
[JsonSerializable(typeof(ShareRequest))]
[JsonSerializable(typeof(ShareResponse))]
[JsonSerializable(typeof(DeliveryStatusResponse))]
[JsonSerializable(typeof(PollResponse))]
[JsonSerializable(typeof(AckResponse))]
[JsonSerializable(typeof(SessionEventData))]
[JsonSerializable(typeof(SessionVisitorsData))]
[JsonSerializable(typeof(ImageReadyData))]
[JsonSerializable(typeof(ImageDeliveryData))]
[JsonSerializable(typeof(ImageFailedData))]
[JsonSerializable(typeof(ConnectedData))]
[JsonSerializable(typeof(ProjectEventData))]
[JsonSerializable(typeof(UploadResponse))]
[JsonSerializable(typeof(ImageUpdateRequest))]
[JsonSerializable(typeof(ImageUpdateResponse))]
[JsonSerializable(typeof(List<DeliveryResponse>))]
[JsonSerializable(typeof(DeliveryAttemptsResponse))]
[JsonSerializable(typeof(Page<ProjectDelivery>))]
[JsonSerializable(typeof(ArchiveRequest))]
[JsonSerializable(typeof(ArchiveTicketResponse))]
[JsonSerializable(typeof(ReplayRequest))]
[JsonSerializable(typeof(ReplayCount))]
[JsonSerializable(typeof(ReplayResponse))]
[JsonSerializable(typeof(List<ReplayResponse>))]
[JsonSerializable(typeof(DestinationRequest))]
[JsonSerializable(typeof(DestinationResponse))]
[JsonSerializable(typeof(List<DestinationResponse>))]
[JsonSerializable(typeof(DestinationTestResponse))]
[JsonSerializable(typeof(List<DestinationHealth>))]
[JsonSerializable(typeof(List<HourOfAttempts>))]
[JsonSerializable(typeof(List<DestinationTypeResponse>))]
[JsonSerializable(typeof(AuthorizeResponse))]
[JsonSerializable(typeof(KeyRequest))]
[JsonSerializable(typeof(KeyResponse))]
[JsonSerializable(typeof(List<KeyResponse>))]
[JsonSerializable(typeof(CreatedKeyResponse))]
[JsonSerializable(typeof(KeyDestinationsRequest))]
[JsonSerializable(typeof(KeyDestinationsResponse))]
[JsonSerializable(typeof(SigningSecretResponse))]
[JsonSerializable(typeof(KeyTotpResponse))]
[JsonSerializable(typeof(KeyCodeRequest))]
[JsonSerializable(typeof(List<SessionRow>))]
[JsonSerializable(typeof(Page<SessionRow>))]
[JsonSerializable(typeof(List<UploadRow>))]
[JsonSerializable(typeof(Page<UploadRow>))]
[JsonSerializable(typeof(StatsResponse))]
[JsonSerializable(typeof(List<StatsDay>))]
[JsonSerializable(typeof(UploadDetails))]
[JsonSerializable(typeof(ServerKeyResponse))]
[JsonSerializable(typeof(HealthResponse))]
[JsonSerializable(typeof(LoginRequest))]
[JsonSerializable(typeof(RefreshRequest))]
[JsonSerializable(typeof(LoginResponse))]
[JsonSerializable(typeof(DashboardSessionResponse))]
[JsonSerializable(typeof(MeResponse))]
[JsonSerializable(typeof(ChangePasswordRequest))]
[JsonSerializable(typeof(PasswordRequest))]
[JsonSerializable(typeof(CodeRequest))]
[JsonSerializable(typeof(TotpSecretResponse))]
[JsonSerializable(typeof(ProjectRequest))]
[JsonSerializable(typeof(BrandingRequest))]
[JsonSerializable(typeof(ProjectResponse))]
[JsonSerializable(typeof(List<ProjectResponse>))]
[JsonSerializable(typeof(MemberRequest))]
[JsonSerializable(typeof(MemberResponse))]
[JsonSerializable(typeof(List<MemberResponse>))]
[JsonSerializable(typeof(InvitationResponse))]
[JsonSerializable(typeof(List<InvitationResponse>))]
[JsonSerializable(typeof(AuditPage))]
[JsonSerializable(typeof(AdminServerResponse))]
[JsonSerializable(typeof(List<AdminSetting>))]
[JsonSerializable(typeof(AdminUser))]
[JsonSerializable(typeof(AdminUserPage))]
[JsonSerializable(typeof(AdminProjectPage))]
[JsonSerializable(typeof(MessageResponse))]
[JsonSerializable(typeof(EventWebhookRequest))]
[JsonSerializable(typeof(EventWebhookResponse))]
[JsonSerializable(typeof(List<EventWebhookResponse>))]
[JsonSerializable(typeof(EventDeliveryDetails))]
[JsonSerializable(typeof(EventDeliveryList))]
[JsonSerializable(typeof(EventPayload<UploadEventData>))]
[JsonSerializable(typeof(EventPayload<SessionNews>))]
[JsonSerializable(typeof(EventPayload<DestinationNews>))]
[JsonSerializable(typeof(EventPayload<TestNews>))]
internal sealed partial class WireJson : JsonSerializerContext
{
    /// <summary>The instance everything uses. Text stays readable: answers are JSON with nosniff, never part of a page.</summary>
    public static WireJson Wire => field ??=
        new(new JsonSerializerOptions(Default.GeneratedSerializerOptions!)
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            // Which of two values is meant is anybody's guess. Checking also reads objects whole, so that bad text shows here and not later.
            AllowDuplicateProperties = false,
        });
}

/// <summary>Also takes 1 and 0, as which languages without a boolean type write it: Perl, and a client's README with it.</summary>
internal sealed class BooleanJson : JsonConverter<bool>
{
    public override bool Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        JsonTokenType.Number when reader.TryGetInt32(out var number) && number is 0 or 1 => number == 1,
        _ => throw new JsonException(),
    };

    public override void Write(Utf8JsonWriter writer, bool value, JsonSerializerOptions options) => writer.WriteBooleanValue(value);
}

/// <summary>Instants as ISO 8601 in UTC with milliseconds and <c>Z</c>: <c>2026-06-12T09:44:41.919Z</c>.</summary>
internal sealed partial class InstantJson : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && TryParse(reader.GetString()!, out var instant)
            ? instant
            : throw new JsonException("must be an ISO 8601 instant such as 2026-06-12T09:44:41.919Z");

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Format(value));

    public static string Format(DateTimeOffset instant) =>
        instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>Reads ISO 8601 and nothing else that the framework would take for a date; without an offset it is UTC.</summary>
    public static bool TryParse(string text, out DateTimeOffset instant)
    {
        instant = default;
        return Iso8601().IsMatch(text) && DateTimeOffset.TryParse(
            text.Replace(',', '.'), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out instant);
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d([Tt]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d(:?\d\d)?)?)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Iso8601();
}
