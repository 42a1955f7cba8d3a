using Apertur.Server.Accounts;
using Apertur.Server.Dashboard;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Pages;

/// <summary>Following a one-time link: looking at what it does, and doing it. Looking does not use it up, because mail programs look.</summary>
internal static class LinkPageApi
{
    public static async Task<IResult> Open(string secret, HttpContext http, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        return await FindAsync(db, secret, clock.GetUtcNow(), cancellationToken) is { } link
            ? await FormAsync(http, db, link, new TypedForm(), null, cancellationToken)
            : LinkPage.Gone();
    }

    public static async Task<IResult> Follow(
        string secret, HttpContext http, AperturDb db, Database database, LoginThrottle throttle, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (await FindAsync(db, secret, clock.GetUtcNow(), cancellationToken) is not { } link)
            return LinkPage.Gone();

        var form = http.Request.HasFormContentType ? await http.Request.ReadFormAsync(cancellationToken) : FormCollection.Empty;
        var typed = new TypedForm(form["email"], form["password"], form["project"], form["code"]);
        try
        {
            return link.Kind switch
            {
                OneTimeLinkKind.Owner => await SetUpAsync(http, link, typed, cancellationToken),
                OneTimeLinkKind.Password => await SetPasswordAsync(http, link, typed, database, cancellationToken),
                OneTimeLinkKind.SignIn => await SignInAsync(http, link, typed, cancellationToken),
                _ => await JoinAsync(http, link, typed, db, database, throttle, clock, cancellationToken),
            };
        }
        catch (InstallationException exception)
        {
            return await FormAsync(http, db, link, typed, exception.Message, cancellationToken);
        }
        catch (ApiErrorException exception)
        {
            return await FormAsync(http, db, link, typed, exception.Error.Message, cancellationToken);
        }
        catch (DbUpdateException)
        {
            // The account or the membership was made by another link at the same moment; this one is not used up.
            return await FormAsync(http, db, link, typed, "Something has changed at this moment. Please look at the form again.", cancellationToken);
        }
    }

    /// <summary>The link, while it counts.</summary>
    private static async Task<OneTimeLink?> FindAsync(AperturDb db, string secret, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var link = await OneTimeLink.FindAsync(db, secret, now, cancellationToken);
        return link?.Kind != OneTimeLinkKind.Invitation || await Invitations.CountsAsync(db, link, cancellationToken) ? link : null;
    }

    private static async Task<IResult> SetUpAsync(
        HttpContext http, OneTimeLink link, TypedForm typed, CancellationToken cancellationToken)
    {
        var (owner, project) = await Installation.SetUpAsync(
            http.RequestServices, typed.Email ?? "", typed.Password ?? "", typed.Project ?? "", link, cancellationToken);
        return await EnterAsync(http, owner, $"/p/{project.Id}/start", cancellationToken);
    }

    private static async Task<IResult> SetPasswordAsync(
        HttpContext http, OneTimeLink link, TypedForm typed, Database database, CancellationToken cancellationToken)
    {
        Check(typed.Password);
        var hash = Passwords.Hash(typed.Password!);
        var person = await database.WriteAsync(
            async db =>
            {
                if (!await link.TakeAsync(db, cancellationToken))
                    return null;
                await db.Users.Where(u => u.Id == link.UserId).ExecuteUpdateAsync(u => u.SetProperty(x => x.PasswordHash, hash), cancellationToken);
                await SignIns.EndAllAsync(database, db, link.UserId!.Value, except: null, cancellationToken);
                return await db.Users.AsNoTracking().SingleAsync(u => u.Id == link.UserId, cancellationToken);
            },
            cancellationToken);
        return person is null ? LinkPage.Gone() : await EnterAsync(http, person, "/", cancellationToken);
    }

    private static async Task<IResult> SignInAsync(HttpContext http, OneTimeLink link, TypedForm typed, CancellationToken cancellationToken)
    {
        var pair = await http.RequestServices.GetRequiredService<PasswordSignIn>()
            .RunAsync(link, typed.Code, http.Connection.RemoteIpAddress, cancellationToken);
        return pair is null ? LinkPage.Gone() : Enter(http, pair, "/");
    }

    private static async Task<IResult> JoinAsync(
        HttpContext http, OneTimeLink link, TypedForm typed, AperturDb db, Database database, LoginThrottle throttle, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var email = link.Email!;
        var known = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Email == email, cancellationToken);
        if (known is null)
        {
            // The provider tells whose the address is; by the link alone somebody else could take it, and keep its owner from coming.
            if (http.RequestServices.GetRequiredService<Settings>().OpenId.LetsIn(email))
                throw ApiErrors.Forbidden("People with this address come by signing in. Please follow the link below.").ToException();
            Check(typed.Password);
        }
        else
        {
            // Whoever sent the invitation has seen the link too: only the password tells that the person follows it.
            await throttle.CountSignInAsync(email, http.Connection.RemoteIpAddress, cancellationToken);
            if (!Passwords.Verify(known.PasswordHash, typed.Password))
                throw ApiErrors.Unauthenticated("The password is wrong.").ToException();
            await throttle.ForgetSignInAsync(email, http.Connection.RemoteIpAddress, cancellationToken);
        }

        var person = known ?? User.Create(email, Passwords.Hash(typed.Password!), now);
        var done = await database.WriteAsync(
            async write =>
            {
                if (!await link.TakeAsync(write, cancellationToken))
                    return false;
                if (known is null)
                    write.Users.Add(person);
                await Invitations.JoinAsync(write, link, person, http.Connection.RemoteIpAddress, now, cancellationToken);
                return true;
            },
            cancellationToken);
        return done ? await EnterAsync(http, person, $"/p/{link.ProjectId}", cancellationToken) : LinkPage.Gone();
    }

    /// <summary>Leads into the dashboard: signed in, unless a code is asked for or the account is closed, which its own form then says.</summary>
    private static async Task<IResult> EnterAsync(HttpContext http, User person, string address, CancellationToken cancellationToken)
    {
        var pair = person is { TotpOn: false, DisabledAt: null }
            ? await http.RequestServices.GetRequiredService<SignIns>().BeginAsync(person, cancellationToken)
            : null;
        return Enter(http, pair, address);
    }

    private static IResult Enter(HttpContext http, TokenPair? pair, string address)
    {
        if (pair is not null)
            SessionCookie.Write(http, pair.RefreshToken);
        http.Response.Headers.Location = address;
        http.Response.Headers.CacheControl = "no-store";
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }

    private static void Check(string? password)
    {
        if (Passwords.Problem(password) is { } problem)
            throw ApiErrors.Validation("password", problem).ToException();
    }

    private static async Task<IResult> FormAsync(
        HttpContext http, AperturDb db, OneTimeLink link, TypedForm typed, string? problem, CancellationToken cancellationToken)
    {
        var project = await db.Projects.Where(p => p.Id == link.ProjectId).Select(p => p.Name).SingleOrDefaultAsync(cancellationToken);
        var known = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Email == link.Email, cancellationToken);
        var openId = http.RequestServices.GetRequiredService<Settings>().OpenId;
        return LinkPage.Form(
            link, project, known, typed, problem, openId.IsOn ? openId.Name : null, known is null && link.Email is { } email && openId.LetsIn(email));
    }
}
