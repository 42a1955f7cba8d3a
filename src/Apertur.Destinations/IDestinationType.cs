namespace Apertur.Destinations;

/// <summary>
/// One kind of place that photos are delivered to. This interface is the whole seam between delivery and the world.
/// </summary>
/// <remarks>
/// <para>An implementation is a stateless singleton, called from many workers at once. It reports what happened and never
/// decides what happens next: schedule, back-off, parking and state belong to the caller.</para>
/// <para><b>Repeats.</b> <see cref="DeliverAsync"/> is called again with the same <see cref="Delivery.Id"/> after a crash, a lost
/// reply or a lost lease, possibly while the first call still runs elsewhere. It must lead to the same single object under
/// the same name wherever the service makes that possible.</para>
/// <para><b>Going on.</b> What one attempt leaves for the next, an upload session or an id that was asked for, goes through
/// <see cref="Delivery.SaveResume"/>, before the act that it makes repeatable. It may be lost, as after a restored backup: then
/// a repeat costs more, and still leads to one object.</para>
/// <para><b>Exceptions.</b> Anything thrown is tried again, but its owner learns nothing from it: what a service may answer has an
/// outcome. An <see cref="OperationCanceledException"/> for the given token means "the server stops": the attempt is not counted. Do not
/// catch it.</para>
/// <para><b>Time.</b> An attempt ends by itself when its service does not answer or takes too long; <see cref="TransferDeadline"/> does that.</para>
/// <para><b>Bytes.</b> Only <see cref="Delivery.OpenRead"/> leads to the image, and it gives the bytes that were received or throws: a request
/// whose body breaks off must not leave an object behind that looks whole.</para>
/// <para><b>Secrets.</b> Reasons are shown to project members and written to logs: they name what failed and what to do, and
/// never hold a credential, a header value or a query string.</para>
/// <para><b>Memory.</b> The image is read from <see cref="Delivery.OpenRead"/> as a stream and never held as a whole.</para>
/// </remarks>
public interface IDestinationType
{
    /// <summary>The word for this type in the API, the database and metric labels, such as <c>s3</c>. Never changes.</summary>
    string Type { get; }

    /// <summary>What people call it, such as <c>Amazon S3 or compatible</c>.</summary>
    string Label { get; }

    /// <summary>
    /// The configuration this type takes. Validation, masking, encryption at rest, the form and the documentation derive from it.
    /// </summary>
    IReadOnlyList<ConfigField> Fields { get; }

    /// <summary>All that the configuration takes: <see cref="Fields"/>, and what the server does for every type alike.</summary>
    sealed IReadOnlyList<ConfigField> AllFields => [.. Fields, Rendition.Field];

    /// <summary>
    /// Brings one image to one destination. The configuration in <see cref="Delivery.Config"/> has passed <see cref="Fields"/>.
    /// </summary>
    Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken);

    /// <summary>
    /// Finds out whether a delivery with this configuration would work, within the token's time, and leaves nothing behind where
    /// the service allows that. <see cref="DeliveryOutcome.Accepted"/> means yes; the others say why not.
    /// </summary>
    Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken);
}
