using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Pages;
using Apertur.Server.Sessions;

namespace Apertur.Server.Projects;

/// <summary>How the pages of a project's sessions look, and of no other's.</summary>
internal static class Branding
{
    // All of it goes.
    private static readonly BrandingRequest _nothing = new() { Name = new(null), Logo = new(null), Accent = new(null), ReturnUrl = new(null) };

    /// <summary>Takes what is given, but for the logo.</summary>
    public static void Apply(BrandingRequest? request, Project project, List<FieldError> errors)
    {
        request ??= _nothing;
        if (request.Name.IsPresent)
        {
            project.BrandName = string.IsNullOrWhiteSpace(request.Name.Value) ? null : request.Name.Value.Trim();
            if (project.BrandName is { } name && Project.NameProblem(name) is not null)
                errors.Add(new FieldError("branding.name", "branding.name may have up to 200 characters."));
        }

        if (request.Accent.IsPresent)
        {
            var colour = string.IsNullOrEmpty(request.Accent.Value) ? null : Colour.Parse(request.Accent.Value);
            if (colour is null && !string.IsNullOrEmpty(request.Accent.Value))
                errors.Add(new FieldError("branding.accent", "branding.accent must be a colour of six hex digits, such as #0b6b5a."));
            project.BrandAccent = colour?.ToString();
        }

        if (request.ReturnUrl.IsPresent)
        {
            project.BrandReturnUrl = string.IsNullOrWhiteSpace(request.ReturnUrl.Value) ? null : request.ReturnUrl.Value;
            if (project.BrandReturnUrl is { } url && !SessionsApi.IsReturnUrl(url))
                errors.Add(new FieldError("branding.returnUrl", "branding.returnUrl must be an https address."));
        }
    }

    /// <summary>The logo that a request brings, drawn; null in it takes the logo away, and absent it stays. Who sends its path back means it, too.</summary>
    /// <param name="request">The whole request.</param>
    /// <param name="now">What names the logo that the project has.</param>
    /// <param name="logos">Draws it.</param>
    /// <param name="sender">Who sends it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ApiErrorException">400: it cannot be a logo.</exception>
    public static async Task<Optional<byte[]>> DrawLogoAsync(
        ProjectRequest request, string? now, Logos logos, Guid sender, CancellationToken cancellationToken)
    {
        if (!request.Branding.IsPresent)
            return default;
        var given = (request.Branding.Value ?? _nothing).Logo;
        if (!given.IsPresent || (given.Value is { } path && path == Logos.Path(now)))
            return default;
        return new(string.IsNullOrEmpty(given.Value) ? null : await logos.DrawAsync(given.Value, sender, cancellationToken));
    }

    public static BrandingResponse Describe(Project project) => new()
    {
        Name = project.BrandName,
        Logo = Logos.Path(project.BrandLogo),
        Accent = project.BrandAccent is { } hex ? "#" + hex : null,
        ReturnUrl = project.BrandReturnUrl,
    };
}
