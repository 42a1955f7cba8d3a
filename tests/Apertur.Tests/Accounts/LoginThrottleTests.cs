using System.Net;
using Apertur.Server.Accounts;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Accounts;

/// <summary>How many guesses at passwords there may be, in a minute and in an hour.</summary>
public sealed class LoginThrottleTests
{
    /// <summary>Each minute brings what a minute may bring; the hour is full before the minute is.</summary>
    [Theory, AllDatabases]
    public async Task Guesses_at_one_person_are_counted_by_the_hour_too(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        await GuessAsync(app, minutes: 4, perMinute: 5, guess => ("ann@example.com", Address(1)));
        await RefusedAsync(app, "ann@example.com", Address(1));
        await CountAsync(app, "ben@example.com", Address(1));
        await CountAsync(app, "ann@example.com", Address(2));
        app.Clock.Jump(TimeSpan.FromMinutes(56));
        await CountAsync(app, "ann@example.com", Address(1));
    }

    [Theory, AllDatabases]
    public async Task Guesses_at_one_person_from_everywhere_are_counted_by_the_hour_too(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        await GuessAsync(app, minutes: 4, perMinute: 50, guess => ("ann@example.com", Address(guess)));
        await RefusedAsync(app, "ann@example.com", Address(1000));
        await CountAsync(app, "ben@example.com", Address(1000));
    }

    [Theory, AllDatabases]
    public async Task Guesses_from_one_address_are_counted_by_the_hour_too(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        await GuessAsync(app, minutes: 10, perMinute: 30, guess => ($"person{guess}@example.com", Address(1)));
        await RefusedAsync(app, "ann@example.com", Address(1));
        await CountAsync(app, "ann@example.com", Address(2));
    }

    [Theory, AllDatabases]
    public async Task Right_password_begins_the_persons_counts_anew_and_not_the_addresss(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        for (var times = 0; times < 6; times++)
        {
            await GuessAsync(app, minutes: 1, perMinute: 5, guess => ("ann@example.com", Address(1)), passes: false);
            await app.Services.GetRequiredService<LoginThrottle>()
                .ForgetSignInAsync("ann@example.com", Address(1), TestContext.Current.CancellationToken);
        }

        await RefusedAsync(app, "ann@example.com", Address(1));
        await CountAsync(app, "ann@example.com", Address(2));
    }

    /// <summary>Who floods is refused from memory: nobody waits for what that would write.</summary>
    [Theory, AllDatabases]
    public async Task Flood_from_one_address_is_not_written(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        for (var number = 0; number < 70; number++)
            await Record.ExceptionAsync(() => CountAsync(app, "ann@example.com", Address(1)));

        await using var db = app.Services.GetRequiredService<Database>().Open();
        var counted = await db.Guesses.Where(guess => guess.Subject == $"address {Address(1)}" && guess.Seconds == 60)
            .Select(guess => guess.Count).SingleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(60, counted);
    }

    private static IPAddress Address(int number) => new([198, 51, (byte)(number / 256), (byte)(number % 256)]);

    private static async Task GuessAsync(AperturApp app, int minutes, int perMinute, Func<int, (string, IPAddress)> guess, bool passes = true)
    {
        for (var number = 0; number < minutes * perMinute; number++)
        {
            var (email, address) = guess(number);
            await CountAsync(app, email, address);
            if (passes && number % perMinute == perMinute - 1)
                app.Clock.Jump(TimeSpan.FromMinutes(1));
        }
    }

    private static Task CountAsync(AperturApp app, string email, IPAddress address) =>
        app.Services.GetRequiredService<LoginThrottle>().CountSignInAsync(email, address, TestContext.Current.CancellationToken);

    private static async Task RefusedAsync(AperturApp app, string email, IPAddress address) =>
        Assert.Equal(429, (await Assert.ThrowsAsync<ApiErrorException>(() => CountAsync(app, email, address))).Error.StatusCode);
}
