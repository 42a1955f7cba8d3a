namespace Apertur.Mutate;

/// <summary>Code whose rules matter most, and the tests that must notice when one is gone.</summary>
/// <param name="Name">What <c>--area</c> takes.</param>
/// <param name="Files">From <c>src</c>; a folder stands for all files in it.</param>
/// <param name="Tests">Parts of full names; a test that has one of them in its name is run. Few: each change costs a run of them.</param>
internal sealed record Area(string Name, string[] Files, string[] Tests)
{
    public static IReadOnlyList<Area> All { get; } =
    [
        // Without a server, a second or two each.
        new("addresses", ["Apertur.Destinations/AddressGuard.cs", "Apertur.Server/Http/AddressRanges.cs"], ["AddressGuardTests", "AddressRangesTests"]),
        new("templates", ["Apertur.Destinations/KeyTemplate.cs", "Apertur.Server/Uploads/Filenames.cs"], ["KeyTemplateTests", "S3KeyTests", "FilenamesTests"]),
        new("codes", ["Apertur.Destinations/Signature.cs", "Apertur.Server/Auth/Totp.cs"], ["SignatureTests", "TotpTests"]),
        new("limits", ["Apertur.Server/Sessions/SessionLimits.cs"], ["SessionLimitsTests"]),
        new("outcomes", ["Apertur.Destinations/HttpOutcome.cs"], ["HttpOutcomeTests"]),
        new("schedule",
            ["Apertur.Server/Queue/Breaker.cs", "Apertur.Server/Queue/Due.cs", "Apertur.Server/Queue/LaneShares.cs",
                "Apertur.Server/Queue/LaneWindows.cs", "Apertur.Server/Queue/RetrySchedule.cs"],
            ["BreakerTests", "DueTests", "LaneSharesTests", "LaneWindowsTests", "RetryScheduleTests"]),
        new("headers",
            ["Apertur.Server/Uploads/ImageHeader.cs", "Apertur.Server/Uploads/JpegSize.cs", "Apertur.Server/Uploads/PngSize.cs",
                "Apertur.Server/Uploads/WebPSize.cs", "Apertur.Server/Uploads/HeicSize.cs", "Apertur.Server/Uploads/ExifOrientation.cs"],
            ["ImageHeaderTests"]),
        new("forms", ["Apertur.Server/Uploads/MultipartReader.cs"], ["MultipartReaderTests"]),

        // With one, up to a minute each.
        new("ways out", ["Apertur.Destinations/OutboundHttp.cs"], ["OutboundAddressTests", "OutboundConnectionTests", "MemoryTests"]),
        new("statuses", ["Apertur.Server/Sessions/UploadSession.cs", "Apertur.Server/Uploads/Upload.cs"],
            ["DeliveryStatusTests", "ListFiltersTests", "SessionUpdateTests", "RetentionTests", "ClockTests.Session"]),
        new("proxies", ["Apertur.Server/Http/TrustedProxies.cs"], ["RateLimitTests", "KeyRestrictionTests"]),
        new("folders", ["Apertur.Destinations/FolderPath.cs"], ["GoogleDriveDestinationTests", "DropboxDestinationTests"]),
        new("signatures",
            ["Apertur.Server/Auth/RequestSigning.cs", "Apertur.Server/Http/RawBody.cs", "Apertur.Server/Uploads/DownloadLinks.cs",
                "Apertur.Server/Events/EventRequests.cs"],
            ["RequestSigningTests", "WebhookDestinationTests", "EventContentTests", "EventDeliveryTests", "EventWebhookTests", "Download", "HeadTests"]),
        new("gate", ["Apertur.Server/Sessions/SessionGate.cs", "Apertur.Server/Sessions/SessionEnd.cs"],
            ["RefusalTests", "SessionUpdateTests", "PollTests", "SessionPasswordTests", "DeliveryStatusTests", "EventContentTests", "ProjectRemovalTests.Links"]),
        new("passwords", ["Apertur.Server/Sessions/SessionPasswords.cs"], ["SessionPasswordTests", "GoldenTests"]),
        new("keys", ["Apertur.Server/Auth/KeyRestrictions.cs"], ["KeyRestrictionTests", "RequestSigningTests"]),
        new("rates",
            ["Apertur.Server/Http/RateLimits.cs", "Apertur.Server/Http/RateCounts.cs", "Apertur.Server/Http/StrangerCounts.cs"], ["RateLimitTests", "SharedRateLimitTests", "SocketIoTests", "KeyRestrictionTests.Codes"]),
        new("guesses", ["Apertur.Server/Accounts/LoginThrottle.cs"], ["LoginThrottleTests", "SignInTests"]),
        new("counters",
            ["Apertur.Server/ProjectData", "Apertur.Server/Uploads/UploadDeletion.cs"],
            ["ProjectDataTests", "AcrossProjectsTests", "DateRangeTests", "ListFiltersTests", "DeliveryCountTests", "UploadDeletionTests", "RetentionTests", "SharingTests", "GoldenTests"]),
        new("deliveries",
            ["Apertur.Server/Deliveries", "Apertur.Server/Destinations/DestinationSuspension.cs"],
            ["Scenarios.DeliveryTests", "DeliveryCountTests", "DeliveryAttemptsTests", "LeaseFencingTests", "DestinationChangeTests",
                "FailureRecoveryTests", "EventDeliveryTests", "EventContentTests", "StaleOutcomeTests", "FailingDestinationTests", "OAuthConnectionTests", "ReplayTests", "GoldenTests", "RetentionTests"]),
        new("events",
            ["Apertur.Server/Events/EventOutcomeWriter.cs", "Apertur.Server/Events/EventRun.cs", "Apertur.Server/Events/EventSubject.cs"],
            ["EventDeliveryTests", "EventWebhookTests", "LeaseFencingTests", "WaitingDestinationTests", "ClockTests"]),
        new("queue",
            ["Apertur.Server/Queue/Pump.cs", "Apertur.Server/Queue/QueueTable.cs", "Apertur.Server/Queue/QueueRows.cs",
                "Apertur.Server/Queue/WorkerSigns.cs", "Apertur.Server/Events/EventQueue.cs", "Apertur.Server/WallClock.cs"],
            ["Tests.Queue.", "Scenarios.DeliveryTests", "FailureRecoveryTests", "WaitingDestinationTests", "ClockTests", "ProjectRemovalTests.Deliveries"]),
        new("intake",
            ["Apertur.Server/Uploads/ImageIntake.cs", "Apertur.Server/Uploads/UploadApi.cs", "Apertur.Server/Uploads/UploadLimits.cs",
                "Apertur.Server/Uploads/UploadDigests.cs", "Apertur.Server/Uploads/DigestCheck.cs"],
            ["RefusalTests", "UploadDeletionTests", "UploadLimitsTests", "DigestTests", "BrokenFormTests", "IdempotencyTests", "StopTests", "REQUEST_TIMEOUT", "HeldRowsTests", "Download", "ProjectRemovalTests.Links"]),
        new("repeats", ["Apertur.Server/Http/Idempotency.cs"], ["IdempotencyTests"]),
        new("pieces", ["Apertur.Server/Tus"], ["TusTests", "TusDetailTests"]),
        new("replays", ["Apertur.Server/Replays"], ["ReplayTests"]),
        new("retention", ["Apertur.Server/Retention"], ["RetentionTests"]),
        new("thumbnails", ["Apertur.Server/Thumbnails"], ["ThumbnailTests", "ThumbnailLanesTests"]),
        new("transactions", ["Apertur.Server/Storage/TransactionGuard.cs", "Apertur.Server/Storage/JsonTable.cs"], ["LostConnectionTests", "LeaseFencingTests"]),
        new("envelopes", ["Apertur.Server/Encryption/EnvelopeIntake.cs"], ["ServerDecryptionTests"]),
    ];
}
