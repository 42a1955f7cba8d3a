namespace Apertur.Server.Queue;

/// <summary>The states of what is delivered, images and events; see <c>docs/delivery-states.md</c>.</summary>
internal enum DeliveryState
{
    Pending,
    Sending,
    Retrying,
    Sent,
    Failed,
}
