using System.Net;
using Apertur.Server;
using Apertur.Server.ProjectData;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

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
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var second = Guid.Parse((string)(await owner.Client.PostAsync("projects", new { name = "Second" })).Expect(HttpStatusCode.Created).Json["id"]!);
        var third = Guid.Parse((string)(await owner.Client.PostAsync("upload-sessions", new { project_id = second })).Expect(HttpStatusCode.Created).Json["id"]!);
        var first = Guid.Parse(await app.Client.CreateSessionAsync());
        var start = new DateTimeOffset(app.Clock.GetUtcNow().UtcDateTime.Date, TimeSpan.Zero).AddHours(-20);
        var photos = Enumerable.Range(0, Photos)
            .Select(i => Photo(i, i % 2 == 0 ? (first, app.ProjectId) : (third, second), start.AddSeconds(i * 0.7))).ToList();
        await app.WriteAsync(async db =>
        {
            db.Uploads.AddRange(photos);
            foreach (var photo in photos)
                db.Counts.For(photo.ProjectId, photo.Env, photo.CreatedAt).Store(photo);
            await db.SaveChangesAsync(Cancellation);
        });
        var newestFirst = photos.OrderByDescending(photo => photo.CreatedAt).Select(photo => photo.Id.ToString()).ToList();

        var listed = new List<string>();
        for (var page = 1; page <= Photos / PageSize; page++)
            listed.AddRange(await PageAsync(page));
        Assert.Equal(newestFirst, listed);

        // Whatever the minutes are said to have: a version that did not count them may have taken part.
        await app.WriteAsync(db => db.MinuteCounts.Where(count => count.Minute % 3 == 0).ExecuteDeleteAsync(Cancellation));
        Assert.Equal(newestFirst[1_200..1_300], await PageAsync(13));

        async Task<IEnumerable<string>> PageAsync(int page)
        {
            var answer = (await owner.Client.GetAsync($"uploads?page={page}&pageSize={PageSize}")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal(Photos, (int)answer["total"]!);
            return answer["data"]!.AsArray().Select(row => (string)row!["id"]!);
        }
    }

    [Fact]
    public async Task No_page_skips_more_rows_than_a_minute_has()
    {
        PageWindow.Period[] days = [.. Enumerable.Range(0, 3).Select(day => new PageWindow.Period(DateTimeOffset.UnixEpoch.AddDays(day), 1_440_000))];
        foreach (var page in new[] { 1, 700, 14_399, 14_400, 14_401, 30_000, 43_200 })
        {
            var window = await PageWindow.FindAsync(
                days, start => Task.FromResult<IReadOnlyList<PageWindow.Period>?>(
                    [.. Enumerable.Range(0, 1440).Select(minute => new PageWindow.Period(start.AddMinutes(minute), 1_000))]), page, PageSize);

            Assert.InRange(window.Skip, 0, 999);
            Assert.InRange(window.Before - window.From, TimeSpan.FromMinutes(1), page == 1 ? TimeSpan.MaxValue : TimeSpan.FromMinutes(2));
            Assert.Equal(3 * 1_440_000, window.Total);
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
}
