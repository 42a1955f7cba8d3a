using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Accounts;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>Somebody who has signed in.</summary>
internal sealed record SignedIn(AperturClient Client, string Token, string RefreshToken, Guid UserId);

/// <summary>People beside the owner, and their ways in.</summary>
internal static class People
{
    public const string OwnerEmail = "owner@example.com";
    public const string OwnerPassword = "correct horse";

    // A hash takes a fifth of the time that the start of a server does.
    private static readonly Lazy<string> _hash = new(() => Passwords.Hash(OwnerPassword));

    public static string OwnerPasswordHash => _hash.Value;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Signs in as a browser does, with a password.</summary>
    public static async Task<SignedIn> SignInAsync(this AperturApp app, string email = OwnerEmail, string password = OwnerPassword)
    {
        var answer = await app.ClientOf(null).PostAsync("auth/login", new { email, password });
        return app.Read(answer.Expect(HttpStatusCode.OK).Json);
    }

    public static SignedIn Read(this AperturApp app, JsonNode login)
    {
        var token = login["token"]!.GetValue<string>();
        return new(app.ClientOf(token), token, login["refreshToken"]!.GetValue<string>(), login["user"]!["id"]!.GetValue<Guid>());
    }

    /// <summary>Makes a person, and a member of a project when a role is given. The password is <see cref="OwnerPassword"/>.</summary>
    public static async Task<User> AddPersonAsync(this AperturApp app, string email, Guid? project = null, Role? role = null)
    {
        // One hash for all: making one takes as long as an attacker is to wait.
        var person = new User
        {
            Id = Guid.CreateVersion7(app.Clock.GetUtcNow()),
            Email = email,
            PasswordHash = OwnerPasswordHash,
            CreatedAt = app.Clock.GetUtcNow(),
        };
        await app.ChangeAsync(db =>
        {
            db.Users.Add(person);
            if (role is { } given)
                db.Members.Add(new Member { ProjectId = project!.Value, UserId = person.Id, Role = given, CreatedAt = person.CreatedAt });
        });
        return person;
    }

    /// <summary>Signs in without the time that a password takes.</summary>
    public static async Task<SignedIn> TokenAsync(this AperturApp app, User person)
    {
        var pair = await app.Services.GetRequiredService<SignIns>().BeginAsync(person, Cancellation);
        return new(app.ClientOf(pair.Token), pair.Token, pair.RefreshToken, person.Id);
    }

    public static async Task<User> OwnerAsync(this AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Users.AsNoTracking().SingleAsync(u => u.Email == OwnerEmail, Cancellation);
    }

    /// <summary>Changes the database behind the server's back.</summary>
    public static Task ChangeAsync(this AperturApp app, Action<AperturDb> change) =>
        app.Services.GetRequiredService<Database>().WriteAsync(
            db =>
            {
                change(db);
                return Task.CompletedTask;
            },
            Cancellation);
}
