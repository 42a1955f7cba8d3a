namespace Apertur.Server.Contract;

/// <summary>Data of <c>connected</c> and <c>session:completed</c>.</summary>
internal sealed record SessionEventData(Guid SessionId);

/// <summary>Data of <c>image:ready</c>.</summary>
internal sealed record ImageReadyData(Guid ImageId, string Filename, long SizeBytes);

/// <summary>Data of <c>image:delivering</c> and <c>image:delivered</c>.</summary>
internal sealed record ImageDeliveryData(Guid ImageId, Guid DestinationId);

/// <summary>Data of <c>image:failed</c>.</summary>
internal sealed record ImageFailedData(Guid ImageId, Guid DestinationId, string Error);
