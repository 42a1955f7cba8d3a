using System.Data.Common;
using System.Net;
using Apertur.Server;
using Apertur.Server.ProjectData;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.ProjectData;

/// <summary>Pages of long lists.</summary>
public sealed class ListPageTests
{
    private const int Photos = 2_500;
    private const int PageSize = 100;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Pages_within_a_busy_day_follow_each_other_without_a_gap(DatabaseKind database)
    {
        var skips = new Skips();
        await using var app = await AperturApp.StartAsync(
            database, configure: services => services.ConfigureDbContext<AperturDb>(options => options.AddInterceptors(skips)));
        var owner = await app.SignInAsync();
        var (stranger, _, _) = await app.CreateOtherProjectAsync();
        var second = Guid.Parse((string)(await owner.Client.PostAsync("projects", new { name = "Second" })).Expect(HttpStatusCode.Created).Json["id"]!);
        var third = Guid.Parse((string)(await owner.Client.PostAsync("upload-sessions", new { project_id = second })).Expect(HttpStatusCode.Created).Json["id"]!);
        var first = Guid.Parse(await app.Client.CreateSessionAsync());
        var start = new DateTimeOffset(app.Clock.GetUtcNow().UtcDateTime.Date, TimeSpan.Zero).AddHours(-20);
        var photos = Enumerable.Range(0, Photos)
            .Select(i => Photo(i, i % 2 == 0 ? (first, app.ProjectId) : (third, second), start.AddSeconds(i * 0.7))).ToList();
        photos.AddRange([Photo(Photos, (first, app.ProjectId), start.AddDays(-1)), Photo(Photos + 1, (first, app.ProjectId), start.AddDays(1))]);
        await app.WriteAsync(async db =>
        {
            db.Uploads.AddRange(photos);
            foreach (var photo in photos)
            {
                db.Counts.For(photo.ProjectId, photo.Env, photo.CreatedAt).Store(photo);
                db.Counts.For(photo.ProjectId, photo.Env, photo.CreatedAt).Sessions += 2;
                // What the list does not have.
                db.Counts.For(photo.ProjectId, Env.Test, photo.CreatedAt).Store(photo);
                db.Counts.For(stranger, photo.Env, photo.CreatedAt).Store(photo);
            }

            await db.SaveChangesAsync(Cancellation);
        });
        var newestFirst = photos.OrderByDescending(photo => photo.CreatedAt).Select(photo => photo.Id.ToString()).ToList();

        var listed = new List<string>();
        for (var page = 1; page <= (Photos / PageSize) + 1; page++)
            listed.AddRange(await PageAsync(page));
        Assert.Equal(newestFirst, listed);
        // A minute has 86.
        Assert.InRange(skips.Largest, 1, PageSize);
        // And in both environments twice as many.
        (await owner.Client.GetAsync($"uploads?env=all&page=12&pageSize={PageSize}")).Expect(HttpStatusCode.OK);
        Assert.InRange(skips.Largest, 1, 2 * PageSize);
        Assert.Equal((2 * photos.Count) + 2, (int)(await owner.Client.GetAsync("sessions?page=9")).Json["total"]!);

        // The day is cut: its minutes tell of more than was asked for.
        var cut = (await owner.Client.GetAsync(
            $"uploads?page=12&pageSize={PageSize}&from={photos[300].CreatedAt.UtcDateTime:o}")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal(photos.Count - 301, (int)cut["total"]!);
        Assert.Equal(newestFirst[1_100..1_200], cut["data"]!.AsArray().Select(row => (string)row!["id"]!));
        cut = (await owner.Client.GetAsync(
            $"uploads?page=12&pageSize={PageSize}&to={photos[2_200].CreatedAt.UtcDateTime:o}")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal(2_201, (int)cut["total"]!);
        Assert.Equal(newestFirst[1_401..1_501], cut["data"]!.AsArray().Select(row => (string)row!["id"]!));

        // Whatever the minutes are said to have: a version that did not count them may have taken part.
        await app.WriteAsync(db => db.MinuteCounts.Where(count => count.Minute % 3 == 0).ExecuteDeleteAsync(Cancellation));
        Assert.Equal(newestFirst[1_200..1_300], await PageAsync(13));

        async Task<IEnumerable<string>> PageAsync(int page)
        {
            var answer = (await owner.Client.GetAsync($"uploads?page={page}&pageSize={PageSize}")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal(photos.Count, (int)answer["total"]!);
            return answer["data"]!.AsArray().Select(row => (string)row!["id"]!);
        }
    }

    [Fact]
    public async Task No_page_skips_more_rows_than_a_minute_has()
    {
        PageWindow.Period[] days = [.. Enumerable.Range(0, 3).Select(day => new PageWindow.Period(DateTimeOffset.UnixEpoch.AddDays(day), 1_440_000))];
        var asked = new List<DateTimeOffset>();
        foreach (var page in new[] { 1, 700, 14_399, 14_400, 14_401, 30_000, 43_200 })
        {
            asked.Clear();
            var window = await PageWindow.FindAsync(days, MinutesAsync, page, PageSize);

            Assert.InRange(window.Skip, 0, 999);
            Assert.InRange(window.Before - window.From, TimeSpan.FromMinutes(1), page == 1 ? TimeSpan.MaxValue : TimeSpan.FromMinutes(2));
            Assert.Equal(3 * 1_440_000, window.Total);
            // Only those of the day that the page is in.
            Assert.Equal([DateTimeOffset.UnixEpoch.AddDays(2 - ((page - 1) / 14_400))], asked);
        }

        // Nor those of a day that is read as a whole.
        asked.Clear();
        await PageWindow.FindAsync([new(DateTimeOffset.UnixEpoch, 2_000)], MinutesAsync, page: 1, PageSize);
        Assert.Empty(asked);

        Task<IReadOnlyList<PageWindow.Period>?> MinutesAsync(DateTimeOffset start)
        {
            asked.Add(start);
            return Task.FromResult<IReadOnlyList<PageWindow.Period>?>(
                [.. Enumerable.Range(0, 1440).Select(minute => new PageWindow.Period(start.AddMinutes(minute), 1_000))]);
        }
    }

    private static Upload Photo(int index, (Guid Session, Guid Project) of, DateTimeOffset createdAt) => new()
    {
        Id = Guid.CreateVersion7(createdAt),
        SessionId = of.Session,
        ProjectId = of.Project,
        Env = Env.Live,
        ImageIndex = index,
        Filename = $"{index}.jpg",
        SizeBytes = 1,
        MimeType = "image/jpeg",
        Fields = new UploadFields { Source = "camera", Visitor = null, Caption = null, Answers = null },
        Sha256 = new string('0', 64),
        IsEncrypted = false,
        CreatedAt = createdAt,
    };

    /// <summary>How many rows a statement of one server has read and passed over, at most.</summary>
    private sealed class Skips : DbCommandInterceptor
    {
        public int Largest { get; private set; }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            if (command.CommandText.Contains("OFFSET", StringComparison.Ordinal))
                Largest = Math.Max(Largest, command.Parameters.Cast<DbParameter>().Select(parameter => parameter.Value).OfType<int>().Max());
            return ValueTask.FromResult(result);
        }
    }
}
