using Apertur.Server.Accounts;
using Apertur.Server.OpenId;

namespace Apertur.Server.Pages;

/// <summary>The pages behind one-time links: plain forms that need no script. They speak English, as all that operators and developers read.</summary>
internal static class LinkPage
{
    private const string Entry = "src/account/page.ts";

    private static readonly PageLook _look = new("en");

    /// <summary>The form that a link leads to.</summary>
    /// <param name="link">What it does.</param>
    /// <param name="projectName">Where an invitation leads.</param>
    /// <param name="known">The account of the person that it is for; null when there is none yet.</param>
    /// <param name="typed">What was typed before and refused; passwords are not shown again.</param>
    /// <param name="problem">Why it was refused; null at first.</param>
    /// <param name="signOn">The name of the provider that the invited person may come by; null when there is none.</param>
    /// <param name="onlySignOn">Whether there is no other way for an address like that.</param>
    public static IResult Form(
        OneTimeLink link, string? projectName, User? known, TypedForm typed, string? problem, string? signOn, bool onlySignOn) =>
        link.Kind switch
        {
            OneTimeLinkKind.Owner => Page("Set up Apertur", problem, 200, $"""
                <p>You will own this server's first project.</p>
                {Field("E-mail address", "email", "email", "username", typed.Email)}
                {Field("New password, at least 8 characters", "password", "password", "new-password")}
                {Field("Name of the first project", "project", "text", "off", typed.Project)}
                """, "Set up"),
            OneTimeLinkKind.Password => Page("Set a new password", problem, 200, $"""
                <p>For {link.Email}. You will be signed out everywhere.</p>
                {Field("New password, at least 8 characters", "password", "password", "new-password")}
                """, "Set password"),
            OneTimeLinkKind.SignIn => Page("Sign in", problem, 200, $"""
                <p>As {link.Email}. This link works once.</p>
                {Html.If(known is { TotpOn: true }, Field("Code from your app", "code", "text", "one-time-code"))}
                """, "Sign in"),
            _ => Page("Invitation", problem, 200, $"""
                <p>{link.Email} is invited to the project <strong>{projectName}</strong> as {link.Role!.Value.WireName()}.</p>
                {Html.If(!onlySignOn, known is not null
                    ? Field("Your password", "password", "password", "current-password")
                    : Field("New password, at least 8 characters", "password", "password", "new-password"))}
                {Html.If(signOn is not null, $"<p>{(onlySignOn ? "Accept" : "Or accept")} by signing in: <a href=\"{OpenIdApi.Path}\">sign in with {signOn}</a>, where your address must be {link.Email}.</p>")}
                """, onlySignOn ? null : "Accept"),
        };

    /// <summary>One text for links that are used, expired, taken back or made up.</summary>
    public static IResult Gone() => Page("This link does not work", null, 404,
        $"<p>It was used already, has expired, or was taken back. Ask for a new one.</p>", null);

    private static Html Field(string label, string name, string type, string autocomplete, string? value = null) => $"""
        <p class="field"><label for="{name}">{label}</label>
        <input id="{name}" name="{name}" type="{type}" autocomplete="{autocomplete}" value="{value}" required></p>
        """;

    private static IResult Page(string title, string? problem, int status, Html body, string? button)
    {
        var said = Html.If(problem is not null, $"<p class=\"bad\" role=\"alert\">{problem}</p>");
        var content = button is null ? body : $"<form method=\"post\">{body}<button class=\"primary\">{button}</button></form>";
        return PageShell.Result(
            PageShell.Document(_look, title, Entry, $"<main><h1>{title}</h1>{said}{content}</main>"), problem is null ? status : 400,
            mayBeFramed: false);
    }
}

/// <summary>What somebody typed into a form of a one-time link.</summary>
internal sealed record TypedForm(string? Email = null, string? Password = null, string? Project = null, string? Code = null);
