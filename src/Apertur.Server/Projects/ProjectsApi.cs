using System.Security.Cryptography;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Projects;

/// <summary>Projects, as their members see and change them.</summary>
internal static class ProjectsApi
{
    private const int MinKeyBits = 2048;
    private const int MaxKeyLength = 4096;

    /// <summary>Every project that the caller reaches, newest first.</summary>
    public static async Task<Ok<List<ProjectResponse>>> List(
        Caller caller, AperturDb db, ColumnEncryption encryption, TimeProvider clock, CancellationToken cancellationToken)
    {
        var projects = await db.Projects.AsNoTracking().Where(p => caller.Projects.Keys.Contains(p.Id))
            .OrderByDescending(p => p.CreatedAt).ThenByDescending(p => p.Id).ToListAsync(cancellationToken);
        return TypedResults.Ok(projects.ConvertAll(p => Describe(p, caller.Projects[p.Id], encryption, clock.GetUtcNow())));
    }

    /// <summary>Makes a project whose owner is the caller.</summary>
    public static async Task<Created<ProjectResponse>> Create(
        Body<ProjectRequest> body, Caller caller, Database database, ColumnEncryption encryption, Settings settings, Logos logos, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        if (string.IsNullOrWhiteSpace(body.Value.Name))
            throw ApiErrors.Validation("name", "The project needs a name.").ToException();
        var project = Project.Create("", encryption, now);
        Apply(body.Value, project, settings.Limits);
        var logo = await Branding.DrawLogoAsync(body.Value, project.BrandLogo, logos, caller.Id, cancellationToken);
        await database.WriteAsync(
            async db =>
            {
                db.Projects.Add(project);
                db.Members.Add(new Member { ProjectId = project.Id, UserId = caller.Person!.Id, Role = Role.Owner, CreatedAt = now });
                if (logo.IsPresent)
                    await Logos.StoreAsync(db, project, logo.Value, cancellationToken);
            },
            cancellationToken);
        caller.Project = project.Id;
        return TypedResults.Created($"/api/v1/projects/{project.Id}", Describe(project, Role.Owner, encryption, now));
    }

    /// <summary>One project. Its webhook secret is shown to owners and admins only.</summary>
    public static async Task<Ok<ProjectResponse>> Get(
        string projectId, Caller caller, AperturDb db, ColumnEncryption encryption, TimeProvider clock, CancellationToken cancellationToken)
    {
        var id = Ids.Parse(projectId);
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == id, cancellationToken);
        return TypedResults.Ok(Describe(project, caller.RoleIn(id), encryption, clock.GetUtcNow()) with
        {
            Stored = await StoredAsync(db, id, cancellationToken),
        });
    }

    /// <summary>Changes what is given. Null takes a setting away.</summary>
    public static async Task<Ok<ProjectResponse>> Update(
        string projectId, Body<ProjectRequest> body, Caller caller, AperturDb read, Database database, ColumnEncryption encryption, Settings settings,
        Logos logos, TimeProvider clock, CancellationToken cancellationToken)
    {
        var id = Ids.Parse(projectId);
        var logoNow = await read.Projects.Where(p => p.Id == id).Select(p => p.BrandLogo).SingleAsync(cancellationToken);
        var logo = await Branding.DrawLogoAsync(body.Value, logoNow, logos, caller.Id, cancellationToken);
        return await ChangeAsync(
            projectId, caller, database, encryption, clock,
            async (db, project, _) =>
            {
                Apply(body.Value, project, settings.Limits);
                if (logo.IsPresent)
                    await Logos.StoreAsync(db, project, logo.Value, cancellationToken);
            },
            cancellationToken);
    }

    /// <summary>Makes another webhook secret. The one before goes on signing beside it until <c>previousWebhookSecretUntil</c>.</summary>
    public static Task<Ok<ProjectResponse>> RotateWebhookSecret(
        string projectId, Caller caller, Database database, ColumnEncryption encryption, TimeProvider clock, CancellationToken cancellationToken) =>
        ChangeAsync(
            projectId, caller, database, encryption, clock,
            (_, project, now) =>
            {
                project.PreviousWebhookSecret = project.WebhookSecret;
                project.PreviousWebhookSecretUntil = now + Project.SecretOverlap;
                project.WebhookSecret = encryption.Protect(Project.WebhookSecretColumn, project.Id, ColumnEncryption.Generate());
                return Task.CompletedTask;
            },
            cancellationToken);

    /// <summary>Removes a project: out of everybody's reach with the answer, its rows and images soon after.</summary>
    public static async Task<NoContent> Delete(string projectId, ProjectRemoval removal, CancellationToken cancellationToken)
    {
        await removal.BeginAsync(Ids.Parse(projectId), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<ProjectResponse>> ChangeAsync(
        string projectId, Caller caller, Database database, ColumnEncryption encryption, TimeProvider clock,
        Func<AperturDb, Project, DateTimeOffset, Task> change, CancellationToken cancellationToken)
    {
        var id = Ids.Parse(projectId);
        var now = clock.GetUtcNow();
        var project = await database.WriteAsync(
            async db =>
            {
                var row = await db.Projects.SingleAsync(p => p.Id == id, cancellationToken);
                await change(db, row, now);
                row.UpdatedAt = now;
                return row;
            },
            cancellationToken);
        return TypedResults.Ok(Describe(project, caller.RoleIn(id), encryption, now));
    }

    private static async Task<StoredPhotos> StoredAsync(AperturDb db, Guid projectId, CancellationToken cancellationToken)
    {
        var sums = await db.DailyCounts.Where(count => count.ProjectId == projectId).GroupBy(count => count.ProjectId)
            .Select(days => new { Images = days.Sum(day => day.StoredImages), Bytes = days.Sum(day => day.StoredBytes) })
            .SingleOrDefaultAsync(cancellationToken);
        return new StoredPhotos(sums?.Images ?? 0, sums?.Bytes ?? 0);
    }

    private static void Apply(ProjectRequest request, Project project, LimitSettings limits)
    {
        var errors = new List<FieldError>();
        if (request.Name?.Trim() is { } name)
        {
            project.Name = name;
            if (Project.NameProblem(name) is { } problem)
                errors.Add(new FieldError("name", problem));
        }

        if (request.E2ePublicKey.IsPresent)
            project.E2ePublicKey = CheckKey(request.E2ePublicKey.Value, errors);
        if (request.RetentionDays.IsPresent)
            project.RetentionDays = CheckRange("retentionDays", request.RetentionDays.Value, Project.MaxRetentionDays, errors, min: 0);
        if (request.RetentionRows is { } rows)
            project.RetentionRows = CheckRows(rows, errors);
        if (request.MaxImagesPerSession.IsPresent)
            project.MaxImagesPerSession = CheckRange("maxImagesPerSession", request.MaxImagesPerSession.Value, limits.MaxImagesPerSession, errors);
        if (request.MaxImageSizeMb.IsPresent)
            project.MaxImageSizeMb = CheckRange("maxImageSizeMb", request.MaxImageSizeMb.Value, limits.MaxImageSizeMb, errors);
        project.Strip = SessionLimits.StripOf(request.Strip, errors) ?? project.Strip;
        if (request.Branding.IsPresent)
            Branding.Apply(request.Branding.Value, project, errors);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();
    }

    private static int? CheckRange(string field, int? value, int max, List<FieldError> errors, int min = 1)
    {
        if (value < min || value > max)
            errors.Add(new FieldError(field, $"{field} must be from {min} to {max}, or null."));
        return value;
    }

    private static RetentionRows CheckRows(string rows, List<FieldError> errors)
    {
        if (EnumNames.Parse<RetentionRows>(rows) is { } known)
            return known;
        errors.Add(new FieldError("retentionRows", "retentionRows must be keep or remove."));
        return default;
    }

    /// <summary>Kept in the one form that browsers import: SubjectPublicKeyInfo.</summary>
    private static string? CheckKey(string? pem, List<FieldError> errors)
    {
        if (pem is null)
            return null;
        try
        {
            using var key = RSA.Create();
            key.ImportFromPem(pem.Length <= MaxKeyLength ? pem : "");
            if (key.KeySize >= MinKeyBits && !pem.Contains("PRIVATE KEY", StringComparison.Ordinal))
                return key.ExportSubjectPublicKeyInfoPem();
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException)
        {
            // Said below.
        }

        errors.Add(new FieldError("e2ePublicKey", $"e2ePublicKey must be an RSA public key of at least {MinKeyBits} bits, as PEM."));
        return null;
    }

    private static ProjectResponse Describe(Project project, Role role, ColumnEncryption encryption, DateTimeOffset now) => new()
    {
        Id = project.Id,
        Name = project.Name,
        Role = role.WireName(),
        WebhookSecret = role >= Role.Admin ? encryption.Unprotect(Project.WebhookSecretColumn, project.Id, project.WebhookSecret) : null,
        PreviousWebhookSecretUntil = role >= Role.Admin && project.PreviousWebhookSecretUntil > now ? project.PreviousWebhookSecretUntil : null,
        E2ePublicKey = project.E2ePublicKey,
        RetentionDays = project.RetentionDays,
        RetentionRows = project.RetentionRows.WireName(),
        MaxImagesPerSession = project.MaxImagesPerSession,
        MaxImageSizeMb = project.MaxImageSizeMb,
        Strip = project.Strip.WireName(),
        Branding = Branding.Describe(project),
        CreatedAt = project.CreatedAt,
        UpdatedAt = project.UpdatedAt,
    };
}
