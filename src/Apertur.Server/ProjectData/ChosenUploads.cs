using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.ProjectData;

/// <summary>The uploads that a filtered list shows.</summary>
/// <param name="Ids">Newest first.</param>
/// <param name="Lately">Those of them that are among the newest of all, to be looked at first; null when that gains nothing.</param>
internal sealed record ChosenUploads(IQueryable<Guid> Ids, IQueryable<Guid>? Lately = null)
{
    /// <summary>As many as are counted; <see cref="ListFilters.MostCounted"/> when there are that many or more.</summary>
    public async Task<List<Guid>> CountedAsync(CancellationToken cancellationToken)
    {
        if (Lately is not null && await Lately.Take(ListFilters.MostCounted).ToListAsync(cancellationToken) is { Count: ListFilters.MostCounted } newest)
            return newest;
        return await Ids.Take(ListFilters.MostCounted).ToListAsync(cancellationToken);
    }
}
