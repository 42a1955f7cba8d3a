using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
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
        var keys = await Mine(caller, Ids.Parse(projectId), db).AsNoTracking()
            .OrderByDescending(k => k.CreatedAt).ThenByDescending(k => k.Id).ToListAsync(cancellationToken);
        return TypedResults.Ok(await DescribeAsync(keys, db, cancellationToken));
    }

    /// <summary>Makes a key. It is shown in this answer and never again.</summary>
    public static async Task<Created<CreatedKeyResponse>> Create(
        string projectId, Body<KeyRequest> body, Caller caller, AperturDb db, Database database, Settings settings, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
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

        var warnings = body.Warnings();
        await database.AddAsync([key], cancellationToken);
        var described = (await DescribeAsync([key], db, cancellationToken)).Single();
        return TypedResults.Created($"/api/v1/projects/{project}/keys/{key.Id}", new CreatedKeyResponse(described, plainText, warnings));
    }

    /// <summary>Changes what is given. It holds from the next request that shows the key.</summary>
    public static async Task<Ok<KeyResponse>> Update(
        string projectId, string id, Body<KeyRequest> body, Caller caller, AperturDb db, Database database, Settings settings, CancellationToken cancellationToken)
    {
        var warnings = body.Warnings();
        var key = await ChangeAsync(
            projectId, id, caller, database,
            key =>
            {
                var errors = new List<FieldError>();
                if (EnvOf(body.Value.Env, errors) is { } env && env != key.Env)
                    errors.Add(new FieldError("env", "The environment of a key never changes. Make another key."));
                Change(key, body.Value, settings.Limits, errors);
                if (errors.Count > 0)
                    throw ApiErrors.Validation(errors).ToException();
            },
            cancellationToken);
        return TypedResults.Ok((await DescribeAsync([key], db, cancellationToken)).Single() with { Warnings = warnings });
    }

    /// <summary>Ends a key for good. Sessions it has made go on.</summary>
    public static async Task<NoContent> Delete(
        string projectId, string id, Caller caller, Database database, TimeProvider clock, CancellationToken cancellationToken)
    {
        await ChangeAsync(
            projectId, id, caller, database,
            key => (key.IsActive, key.DeletedAt, key.SigningSecret, key.TotpSecret) = (false, clock.GetUtcNow(), null, null),
            cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>Sets what becomes of photos when a session does not say.</summary>
    public static Task<Ok<KeyDestinationsResponse>> SetDestinations(
        string id, Body<KeyDestinationsRequest> body, Caller caller, Database database, CancellationToken cancellationToken) =>
        database.WriteAsync(db => SetDestinationsAsync(id, body, caller, db, cancellationToken), cancellationToken);

    private static async Task<Ok<KeyDestinationsResponse>> SetDestinationsAsync(
        string id, Body<KeyDestinationsRequest> body, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var request = body.Value;
        var key = await caller.FindAsync(db.ApiKeys.Where(k => k.DeletedAt == null), id, cancellationToken);

        var asked = request.DestinationIds?.Distinct().ToList();
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

        var warnings = body.Warnings();
        key.DefaultDestinations = [.. ids.Where(found.ContainsKey).Distinct()];
        key.LongPollingEnabled = request.LongPollingEnabled ?? key.LongPollingEnabled;
        return TypedResults.Ok(new KeyDestinationsResponse([.. key.DefaultDestinations.Select(d => found[d])], key.LongPollingEnabled, warnings));
    }

    /// <summary>Changes the key that a path names.</summary>
    /// <returns>As it is then.</returns>
    /// <exception cref="ApiErrorException">404, 403.</exception>
    public static Task<ApiKey> ChangeAsync(
        string projectId, string id, Caller caller, Database database, Action<ApiKey> change, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var key = await FindAsync(projectId, id, caller, db, cancellationToken);
                change(key);
                return key;
            },
            cancellationToken);

    /// <summary>The key that a path names, for whoever may change it.</summary>
    /// <exception cref="ApiErrorException">404, 403.</exception>
    public static async Task<ApiKey> FindAsync(string projectId, string id, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var keyId = Ids.Parse(id);
        return await Mine(caller, Ids.Parse(projectId), db).SingleOrDefaultAsync(k => k.Id == keyId, cancellationToken)
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

    private static IQueryable<ApiKey> Mine(Caller caller, Guid project, AperturDb db)
    {
        caller.RoleIn(project);
        return db.ApiKeys.Where(k => k.ProjectId == project && k.DeletedAt == null && (caller.Env == null || k.Env == caller.Env));
    }

    private static void Change(ApiKey key, KeyRequest request, LimitSettings limits, List<FieldError> errors)
    {
        if (request.Label?.Trim() is { Length: > 0 } label)
            key.Label = label.Length <= ApiKey.MaxLabelLength ? label : Refuse("label", $"label may have up to {ApiKey.MaxLabelLength} characters.", label);
        key.IsActive = request.IsActive ?? key.IsActive;
        if (request.MaxImages.IsPresent)
            key.MaxImages = SessionLimits.InRange("maxImages", request.MaxImages.Value, 1, limits.MaxImagesPerSession, errors);
        if (request.MaxImageDimension.IsPresent)
            key.MaxImageDimension = SessionLimits.InRange("maxImageDimension", request.MaxImageDimension.Value, 1, SessionLimits.MaxDimension, errors);
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
