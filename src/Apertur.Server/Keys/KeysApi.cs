using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Keys;

/// <summary>The keys of a project's programs. A key sees and makes keys of its own environment only.</summary>
internal static class KeysApi
{
    private const int MaxRestrictions = 100;
    private const int MaxDestinations = 100;

    /// <summary>Every key of a project, newest first.</summary>
    public static async Task<Ok<List<KeyResponse>>> List(
        string projectId, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var keys = await Mine(caller, Ids.Parse(projectId), Role.Viewer, db).AsNoTracking()
            .OrderByDescending(k => k.CreatedAt).ThenByDescending(k => k.Id).ToListAsync(cancellationToken);
        return TypedResults.Ok(await DescribeAsync(keys, db, cancellationToken));
    }

    /// <summary>Makes a key. It is shown in this answer and never again.</summary>
    public static async Task<Created<CreatedKeyResponse>> Create(
        string projectId, Body<KeyRequest> body, Caller caller, AperturDb db, Settings settings, TimeProvider clock, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        caller.Require(project, Role.Developer);
        var errors = new List<FieldError>();
        if (string.IsNullOrWhiteSpace(body.Value.Label))
            errors.Add(new FieldError("label", "label is needed: a few words that tell what the key is for."));
        var env = EnvOf(body.Value.Env, errors) ?? caller.Env ?? Env.Live;
        if (caller.Env is { } own && own != env)
            throw ApiErrors.Forbidden("A key can make keys of its own environment only.").ToException();

        var (key, plainText) = ApiKey.Create(project, env, body.Value.Label?.Trim() ?? "", clock.GetUtcNow());
        Change(key, body.Value, settings.Limits, errors);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        db.ApiKeys.Add(key);
        await db.SaveChangesAsync(cancellationToken);
        var described = (await DescribeAsync([key], db, cancellationToken)).Single();
        return TypedResults.Created($"/api/v1/projects/{project}/keys/{key.Id}", new CreatedKeyResponse(described, plainText));
    }

    /// <summary>Changes what is given. It holds from the next request that shows the key.</summary>
    public static async Task<Ok<KeyResponse>> Update(
        string projectId, string id, Body<KeyRequest> body, Caller caller, AperturDb db, Settings settings, CancellationToken cancellationToken)
    {
        var key = await FindAsync(projectId, id, caller, db, cancellationToken);
        var errors = new List<FieldError>();
        if (EnvOf(body.Value.Env, errors) is { } env && env != key.Env)
            errors.Add(new FieldError("env", "The environment of a key never changes. Make another key."));
        Change(key, body.Value, settings.Limits, errors);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        await db.SaveChangesAsync(cancellationToken);
        return TypedResults.Ok((await DescribeAsync([key], db, cancellationToken)).Single());
    }

    /// <summary>Ends a key for good. Sessions it has made go on.</summary>
    public static async Task<NoContent> Delete(
        string projectId, string id, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var key = await FindAsync(projectId, id, caller, db, cancellationToken);
        (key.IsActive, key.DeletedAt, key.SigningSecret, key.TotpSecret) = (false, clock.GetUtcNow(), null, null);
        await db.SaveChangesAsync(cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>Sets what becomes of photos when a session does not say.</summary>
    public static async Task<Ok<KeyDestinationsResponse>> SetDestinations(
        string id, Body<KeyDestinationsRequest> body, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var key = await caller.FindAsync(db.ApiKeys.Where(k => k.DeletedAt == null), id, cancellationToken);

        var asked = body.Value.DestinationIds?.Distinct().ToList();
        if (asked is { Count: > MaxDestinations })
            throw ApiErrors.Validation("destination_ids", $"A key may have up to {MaxDestinations} destinations.").ToException();
        Guid[] ids = asked is null ? key.DefaultDestinations : [.. asked.Select(text => Guid.TryParse(text, out var d) ? d : Guid.Empty)];
        var found = await db.Destinations.AsNoTracking()
            .Where(d => d.ProjectId == key.ProjectId && d.DeletedAt == null && ids.Contains(d.Id))
            .Select(d => new KeyDestination(d.Id, d.Type, d.Name, d.IsActive)).ToDictionaryAsync(d => d.Id, cancellationToken);
        if (asked?.Where((_, i) => !found.ContainsKey(ids[i])).ToList() is { Count: > 0 } unknown)
        {
            throw ApiErrors.Validation("destination_ids",
                $"Unknown destination: {string.Join(", ", unknown.Select(text => text is { Length: <= 64 } ? text : "…"))}.").ToException();
        }

        key.DefaultDestinations = [.. ids.Where(found.ContainsKey).Distinct()];
        key.LongPollingEnabled = body.Value.LongPollingEnabled ?? key.LongPollingEnabled;
        await db.SaveChangesAsync(cancellationToken);
        return TypedResults.Ok(new KeyDestinationsResponse([.. key.DefaultDestinations.Select(d => found[d])], key.LongPollingEnabled));
    }

    /// <summary>The key that a path names, for changing it.</summary>
    /// <exception cref="ApiErrorException">404, 403.</exception>
    public static async Task<ApiKey> FindAsync(string projectId, string id, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var keyId = Ids.Parse(id);
        return await Mine(caller, Ids.Parse(projectId), Role.Developer, db).SingleOrDefaultAsync(k => k.Id == keyId, cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
    }

    /// <summary>Keys as the wire has them. Destinations that were deleted in the meantime are left out.</summary>
    public static async Task<List<KeyResponse>> DescribeAsync(
        IReadOnlyCollection<ApiKey> keys, AperturDb db, CancellationToken cancellationToken)
    {
        var ids = keys.SelectMany(key => key.DefaultDestinations).Distinct().ToList();
        var there = ids.Count == 0 ? []
            : await db.Destinations.Where(d => ids.Contains(d.Id) && d.DeletedAt == null).Select(d => d.Id).ToHashSetAsync(cancellationToken);
        return [.. keys.Select(key => new KeyResponse
        {
            Id = key.Id,
            Prefix = key.Prefix,
            Label = key.Label,
            Env = key.Env.WireName(),
            IsActive = key.IsActive,
            LastUsedAt = key.LastUsedAt,
            MaxImages = key.MaxImages,
            AllowedMimeTypes = key.AllowedMimeTypes,
            MaxImageDimension = key.MaxImageDimension,
            LongPollingEnabled = key.LongPollingEnabled,
            DefaultDestinations = [.. key.DefaultDestinations.Where(there.Contains)],
            AllowedIps = key.AllowedIps,
            AllowedDomains = key.AllowedDomains,
            TotpEnabled = key.TotpOn,
            CreatedAt = key.CreatedAt,
        })];
    }

    private static IQueryable<ApiKey> Mine(Caller caller, Guid project, Role least, AperturDb db)
    {
        caller.Require(project, least);
        return db.ApiKeys.Where(k => k.ProjectId == project && k.DeletedAt == null && (caller.Env == null || k.Env == caller.Env));
    }

    private static void Change(ApiKey key, KeyRequest request, LimitSettings limits, List<FieldError> errors)
    {
        if (request.Label?.Trim() is { Length: > 0 } label)
            key.Label = label.Length <= ApiKey.MaxLabelLength ? label : Refuse("label", $"label may have up to {ApiKey.MaxLabelLength} characters.", label);
        key.IsActive = request.IsActive ?? key.IsActive;
        if (request.HasMaxImages)
            key.MaxImages = SessionLimits.InRange("maxImages", request.MaxImages, 1, limits.MaxImagesPerSession, errors);
        if (request.HasMaxImageDimension)
            key.MaxImageDimension = SessionLimits.InRange("maxImageDimension", request.MaxImageDimension, 1, SessionLimits.MaxDimension, errors);
        if (request.AllowedMimeTypes is { } types)
        {
            key.AllowedMimeTypes = [.. types.Select(type => type == "image/heif" ? ImageHeader.Heic : type).Distinct()];
            if (key.AllowedMimeTypes.Except(SessionLimits.AllTypes).Any())
                Refuse("allowedMimeTypes", $"allowedMimeTypes may hold {string.Join(", ", SessionLimits.AllTypes)}.", "");
        }

        if (request.AllowedIps is { } ips)
        {
            if (ips.Count > MaxRestrictions || AddressRanges.Problem(ips) is not null)
                Refuse("allowedIps", $"allowedIps may hold up to {MaxRestrictions} addresses or networks, such as 192.0.2.7 or 2001:db8::/32.", "");
            else
                key.AllowedIps = [.. ips.Distinct()];
        }

        if (request.AllowedDomains is { } domains)
        {
            if (domains.Count > MaxRestrictions || !domains.All(PageHosts.IsPattern))
                Refuse("allowedDomains", $"allowedDomains may hold up to {MaxRestrictions} host names, such as example.com or *.example.com.", "");
            else
                key.AllowedDomains = [.. domains.Distinct()];
        }

        string Refuse(string field, string message, string value)
        {
            errors.Add(new FieldError(field, message));
            return value;
        }
    }

    private static Env? EnvOf(string? word, List<FieldError> errors)
    {
        var env = EnumNames.Parse<Env>(word);
        if (word is not null && env is null)
            errors.Add(new FieldError("env", "env must be live or test."));
        return env;
    }
}
