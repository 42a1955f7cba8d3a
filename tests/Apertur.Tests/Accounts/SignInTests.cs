using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Accounts;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Accounts;

public sealed class SignInTests
{
    [Theory, AllDatabases]
    public async Task Signed_in_person_sees_who_they_are_for_fifteen_minutes(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var answer = (await app.ClientOf(null).PostAsync("auth/login", new { email = " Owner@Example.com ", password = People.OwnerPassword }))
            .Expect(HttpStatusCode.OK).Json;
        var owner = app.Read(answer);

        var me = (await owner.Client.GetAsync("me")).Expect(HttpStatusCode.OK).Json;

        Assert.Equal(People.OwnerEmail, me["email"]!.GetValue<string>());
        Assert.Equal("owner", me["projects"]![0]!["role"]!.GetValue<string>());
        Assert.Equal("2026-06-12T09:59:41.000Z", answer["expiresAt"]!.GetValue<string>());
        app.Clock.Jump(TimeSpan.FromMinutes(14));
        (await owner.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        (await owner.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Wrong_password_and_unknown_person_get_the_same_answer(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var wrong = await app.ClientOf(null).PostAsync("auth/login", new { email = People.OwnerEmail, password = "wrong horse" });
        var unknown = await app.ClientOf(null).PostAsync("auth/login", new { email = "nobody@example.com", password = "wrong horse" });
        var empty = await app.ClientOf(null).PostAsync("auth/login");

        Assert.Equal(wrong.Expect(HttpStatusCode.Unauthorized).Text, unknown.Expect(HttpStatusCode.Unauthorized).Text);
        Assert.Equal(wrong.Text, empty.Expect(HttpStatusCode.Unauthorized).Text);
    }

    [Theory, AllDatabases]
    public async Task Refresh_token_works_once_and_its_second_use_ends_the_whole_sign_in(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var first = await app.SignInAsync();
        var elsewhere = await app.SignInAsync();

        var second = app.Read((await Refresh(app, first.RefreshToken)).Expect(HttpStatusCode.OK).Json);
        var third = app.Read((await Refresh(app, second.RefreshToken)).Expect(HttpStatusCode.OK).Json);
        (await third.Client.GetAsync("me")).Expect(HttpStatusCode.OK);

        app.Clock.Advance(SignIns.Grace);
        (await Refresh(app, first.RefreshToken)).Expect(HttpStatusCode.Unauthorized);

        (await third.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        (await Refresh(app, third.RefreshToken)).Expect(HttpStatusCode.Unauthorized);
        (await elsewhere.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Renewals_at_once_from_one_client_all_work(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Refresh(app, owner.RefreshToken)));

        foreach (var answer in answers)
        {
            var renewed = app.Read(answer.Expect(HttpStatusCode.OK).Json);
            (await renewed.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
            (await Refresh(app, renewed.RefreshToken)).Expect(HttpStatusCode.OK);
        }
    }

    [Theory, AllDatabases]
    public async Task Used_refresh_token_from_another_address_ends_the_sign_in_at_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Server:TrustedProxies"] = "127.0.0.1" });
        var owner = await app.SignInAsync();

        var renewed = app.Read((await Refresh(app, owner.RefreshToken, "203.0.113.1")).Expect(HttpStatusCode.OK).Json);
        (await Refresh(app, owner.RefreshToken, "203.0.113.2")).Expect(HttpStatusCode.Unauthorized);

        (await renewed.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Sign_in_that_ends_while_it_is_renewed_is_over(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        for (var i = 0; i < 12; i++)
        {
            var owner = await app.TokenAsync(await app.OwnerAsync());

            var answers = await Task.WhenAll(
                Refresh(app, owner.RefreshToken), owner.Client.PostAsync("auth/logout"), Refresh(app, owner.RefreshToken));

            Assert.All(answers, answer => Assert.True((int)answer.Status < 500, answer.Text));
            (await owner.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
            foreach (var renewed in answers.Where(answer => answer.Status == HttpStatusCode.OK))
                (await app.Read(renewed.Json).Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        }
    }

    [Theory, AllDatabases]
    public async Task Refresh_token_ends_after_thirty_idle_days_and_is_stored_as_a_hash(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        await using (var db = app.Services.GetRequiredService<Database>().Open())
        {
            var stored = await db.RefreshTokens.Select(t => t.Hash).SingleAsync(TestContext.Current.CancellationToken);
            Assert.DoesNotContain(owner.RefreshToken, stored, StringComparison.Ordinal);
            Assert.Equal(64, stored.Length);
        }

        app.Clock.Jump(TimeSpan.FromDays(29));
        owner = app.Read((await Refresh(app, owner.RefreshToken)).Expect(HttpStatusCode.OK).Json);
        app.Clock.Jump(TimeSpan.FromDays(30));

        (await Refresh(app, owner.RefreshToken)).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Logout_ends_the_sign_in_with_the_next_call(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var elsewhere = await app.SignInAsync();

        (await owner.Client.PostAsync("auth/logout")).Expect(HttpStatusCode.NoContent);

        (await owner.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        (await Refresh(app, owner.RefreshToken)).Expect(HttpStatusCode.Unauthorized);
        (await elsewhere.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Suspended_person_revoked_key_and_removed_member_are_refused_on_the_next_call(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var suspended = await app.AddPersonAsync("suspended@example.com", app.ProjectId, Role.Developer);
        var removed = await app.AddPersonAsync("removed@example.com", app.ProjectId, Role.Developer);
        var (suspendedIn, removedIn) = (await app.TokenAsync(suspended), await app.TokenAsync(removed));
        var destinations = $"projects/{app.ProjectId}/destinations";
        foreach (var client in new[] { suspendedIn.Client, removedIn.Client, app.Client })
            (await client.GetAsync(destinations)).Expect(HttpStatusCode.OK);

        await app.ChangeAsync(db => db.Users.Single(u => u.Id == suspended.Id).DisabledAt = app.Clock.GetUtcNow());
        await app.ChangeAsync(db => db.ApiKeys.Single(k => k.Env == Server.Env.Live).IsActive = false);
        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/members/{removed.Id}")).Expect(HttpStatusCode.NoContent);

        (await suspendedIn.Client.GetAsync(destinations)).Expect(HttpStatusCode.Forbidden);
        (await Refresh(app, suspendedIn.RefreshToken)).Expect(HttpStatusCode.Forbidden);
        (await app.ClientOf(null).PostAsync("auth/login", new { email = suspended.Email, password = People.OwnerPassword }))
            .Expect(HttpStatusCode.Forbidden);
        (await removedIn.Client.GetAsync(destinations)).Expect(HttpStatusCode.NotFound);
        (await app.Client.GetAsync(destinations)).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Another_password_ends_every_other_sign_in(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var here = await app.SignInAsync();
        var elsewhere = await app.SignInAsync();

        (await here.Client.PostAsync("me/password", new { currentPassword = "wrong", newPassword = "battery staple" }))
            .Expect(HttpStatusCode.BadRequest);
        (await here.Client.PostAsync("me/password", new { currentPassword = People.OwnerPassword, newPassword = "short" }))
            .Expect(HttpStatusCode.BadRequest);
        (await here.Client.PostAsync("me/password", new { currentPassword = People.OwnerPassword, newPassword = "battery staple" }))
            .Expect(HttpStatusCode.NoContent);

        (await here.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
        (await elsewhere.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        (await app.ClientOf(null).PostAsync("auth/login", new { email = People.OwnerEmail, password = People.OwnerPassword }))
            .Expect(HttpStatusCode.Unauthorized);
        await app.SignInAsync(password: "battery staple");
    }

    [Theory, AllDatabases]
    public async Task Guesses_are_counted_over_a_restart_and_even_the_right_one_has_to_wait(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        for (var i = 0; i < 5; i++)
        {
            (await app.ClientOf(null).PostAsync("auth/login", new { email = People.OwnerEmail, password = $"guess {i}" }))
                .Expect(HttpStatusCode.Unauthorized);
        }

        await app.RestartAsync();
        var right = await app.ClientOf(null).PostAsync("auth/login", new { email = People.OwnerEmail, password = People.OwnerPassword });

        Assert.Equal("RATE_LIMIT", right.Expect(HttpStatusCode.TooManyRequests).Json["code"]!.GetValue<string>());
        Assert.Equal(right.Headers.RetryAfter!.Delta!.Value.TotalSeconds, right.Json["retryAfter"]!.GetValue<int>());
        app.Clock.Jump(right.Headers.RetryAfter.Delta.Value);
        await app.SignInAsync();
    }

    [Theory, AllDatabases]
    public async Task Guesser_shuts_out_nobody_who_signs_in_from_another_address(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Server:TrustedProxies"] = "127.0.0.1" });
        Task<Answer> LoginAsync(string address, string password) => app.ClientOf(null).SendAsync(
            HttpMethod.Post, "auth/login", new { email = People.OwnerEmail, password }, ("X-Forwarded-For", address));

        var guesses = new List<HttpStatusCode>();
        // One guesser with a whole network of addresses to himself, as everybody has with IPv6.
        for (var i = 0; i < 25; i++)
            guesses.Add((await LoginAsync($"2001:db8:1:1::{i:x}", "wrong horse")).Status);

        Assert.Equal(20, guesses.Count(status => status == HttpStatusCode.TooManyRequests));
        (await LoginAsync("2001:db8:1:1::ffff", People.OwnerPassword)).Expect(HttpStatusCode.TooManyRequests);
        (await LoginAsync("2001:db8:1:2::1", People.OwnerPassword)).Expect(HttpStatusCode.OK);
        (await LoginAsync("192.0.2.7", People.OwnerPassword)).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Guesses_at_one_person_from_many_addresses_are_slowed_down_too(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Server:TrustedProxies"] = "127.0.0.1" });

        var refused = 0;
        for (var i = 0; i < 52; i++)
        {
            var answer = await app.ClientOf(null).SendAsync(
                HttpMethod.Post, "auth/login", new { email = People.OwnerEmail, password = new string('x', 300) }, ("X-Forwarded-For", $"192.0.2.{i}"));
            refused += answer.Status == HttpStatusCode.TooManyRequests ? 1 : 0;
        }

        Assert.Equal(2, refused);
    }

    [Theory, AllDatabases]
    public async Task Guesses_at_many_people_from_one_address_are_slowed_down_too(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var refused = 0;
        for (var i = 0; i < 32; i++)
        {
            var answer = await app.ClientOf(null).PostAsync("auth/login", new { email = $"person{i}@example.com", password = new string('x', 300) });
            refused += answer.Status == HttpStatusCode.TooManyRequests ? 1 : 0;
        }

        Assert.Equal(2, refused);
    }

    [Theory, AllDatabases]
    public async Task Codes_of_an_app_are_asked_for_once_they_are_on(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var made = (await owner.Client.PostAsync("me/totp")).Expect(HttpStatusCode.OK).Json;
        var secret = made["secret"]!.GetValue<string>();
        string Code() => app.CodeOf(secret);
        Task<Answer> Login(string? totp) =>
            app.ClientOf(null).PostAsync("auth/login", new { email = People.OwnerEmail, password = People.OwnerPassword, totp });

        await app.SignInAsync();
        (await owner.Client.PostAsync("me/totp/confirm", new { code = "000000" })).Expect(HttpStatusCode.BadRequest);
        (await owner.Client.PostAsync("me/totp/confirm", new { code = Code() })).Expect(HttpStatusCode.NoContent);

        Assert.Equal("TOTP_REQUIRED", (await Login(null)).Expect(HttpStatusCode.Unauthorized).Json["code"]!.GetValue<string>());
        (await Login(Code())).Expect(HttpStatusCode.Unauthorized);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var code = Code();
        var twice = await Task.WhenAll(Login(code), Login(code));
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.Unauthorized], twice.Select(answer => answer.Status).Order());

        app.Clock.Set(TimeSpan.FromDays(-1));
        (await Login(Code())).Expect(HttpStatusCode.OK);
        (await Login(Code())).Expect(HttpStatusCode.Unauthorized);
        app.Clock.Set(TimeSpan.FromDays(1));
        (await Login(code)).Expect(HttpStatusCode.Unauthorized);
        owner = app.Read(twice.Single(answer => answer.Status == HttpStatusCode.OK).Json);
        (await owner.Client.SendAsync(HttpMethod.Delete, "me/totp", new { password = "wrong" })).Expect(HttpStatusCode.BadRequest);
        (await owner.Client.SendAsync(HttpMethod.Delete, "me/totp", new { password = People.OwnerPassword })).Expect(HttpStatusCode.NoContent);
        await app.SignInAsync();
    }

    private static Task<Answer> Refresh(AperturApp app, string refreshToken, string address = "203.0.113.1") =>
        app.ClientOf(null).SendAsync(
            HttpMethod.Post, "auth/refresh", new JsonObject { ["refreshToken"] = refreshToken }, ("X-Forwarded-For", address));
}
