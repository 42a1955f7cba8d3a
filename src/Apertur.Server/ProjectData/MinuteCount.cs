namespace Apertur.Server.ProjectData;

/// <summary>Counts of one project, environment and minute: where a page of a list begins within a day that has many rows.</summary>
internal sealed class MinuteCount
{
    public required Guid ProjectId { get; init; }
    public required Env Env { get; init; }

    /// <summary>Minutes since 1970-01-01, UTC.</summary>
    public required int Minute { get; init; }

    public long Sessions { get; set; }
    public long Images { get; set; }
}
