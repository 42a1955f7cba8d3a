using System.Linq.Expressions;
using System.Text.Json;
using Apertur.Destinations;
using Apertur.Server.Accounts;
using Apertur.Server.Audit;
using Apertur.Server.Contract;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Encryption;
using Apertur.Server.Events;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Metadata;
using Apertur.Server.OpenId;
using Apertur.Server.ProjectData;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Renditions;
using Apertur.Server.Replays;
using Apertur.Server.Sessions;
using Apertur.Server.Tus;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Apertur.Server.Storage;

/// <summary>
/// The database, SQLite or PostgreSQL. The schema is made by the scripts in <c>Storage/Schema</c>; this class only maps it: snake_case
/// names, ids as text, instants as unix milliseconds, lists as JSON.
/// </summary>
internal sealed class AperturDb(DbContextOptions<AperturDb> options) : DbContext(options)
{
    private WriteScope? _write;

    /// <summary>What the transaction collects.</summary>
    /// <exception cref="InvalidOperationException">This context reads: it does not belong to <see cref="Database.WriteAsync{T}"/>.</exception>
    public WriteScope Write => _write ?? throw new InvalidOperationException("Writing goes through Database.WriteAsync, and through nothing else.");

    /// <summary>Whether a transaction has begun, which everything that follows belongs to.</summary>
    public bool IsInTransaction => _write is { HasBegun: true };

    /// <summary>Changes to the counts of days and minutes, written at the end of the transaction.</summary>
    public CountChanges Counts => Write.Counts;

    public DbSet<User> Users => Set<User>();
    public DbSet<SignIn> SignIns => Set<SignIn>();
    public DbSet<RefreshToken> RefreshTokens => Set<RefreshToken>();
    public DbSet<OneTimeLink> OneTimeLinks => Set<OneTimeLink>();
    public DbSet<OpenIdLink> OpenIdLinks => Set<OpenIdLink>();
    public DbSet<Guess> Guesses => Set<Guess>();
    public DbSet<AuditEntry> AuditLog => Set<AuditEntry>();
    public DbSet<Member> Members => Set<Member>();
    public DbSet<Project> Projects => Set<Project>();
    public DbSet<ApiKey> ApiKeys => Set<ApiKey>();
    public DbSet<Destination> Destinations => Set<Destination>();
    public DbSet<OAuthGrant> OAuthGrants => Set<OAuthGrant>();
    public DbSet<OAuthRequest> OAuthRequests => Set<OAuthRequest>();
    public DbSet<UploadSession> Sessions => Set<UploadSession>();
    public DbSet<ProjectLogo> ProjectLogos => Set<ProjectLogo>();
    public DbSet<Visitor> Visitors => Set<Visitor>();
    public DbSet<EventTicket> EventTickets => Set<EventTicket>();
    public DbSet<Upload> Uploads => Set<Upload>();
    public DbSet<PartialUpload> PartialUploads => Set<PartialUpload>();
    public DbSet<ImagesOwnership> ImagesOwnership => Set<ImagesOwnership>();
    public DbSet<DeliveryRow> Deliveries => Set<DeliveryRow>();
    public DbSet<DeliveryAttempt> DeliveryAttempts => Set<DeliveryAttempt>();
    public DbSet<Worker> Workers => Set<Worker>();
    public DbSet<RenditionRow> Renditions => Set<RenditionRow>();
    public DbSet<Replay> Replays => Set<Replay>();
    public DbSet<DestinationHour> DestinationHours => Set<DestinationHour>();
    public DbSet<DailyCount> DailyCounts => Set<DailyCount>();
    public DbSet<MinuteCount> MinuteCounts => Set<MinuteCount>();
    public DbSet<EncryptionKey> EncryptionKeys => Set<EncryptionKey>();
    public DbSet<WrappedKey> WrappedKeys => Set<WrappedKey>();
    public DbSet<EventWebhook> EventWebhooks => Set<EventWebhook>();
    public DbSet<LoggedEvent> EventLog => Set<LoggedEvent>();
    public DbSet<EventDelivery> EventDeliveries => Set<EventDelivery>();
    public DbSet<IdempotentAnswer> IdempotentAnswers => Set<IdempotentAnswer>();

    /// <summary>For <see cref="Database"/>, and the <see cref="Migrator"/> before there is anything to write to.</summary>
    public WriteScope BeginWrite()
    {
        ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.TrackAll;
        // Nobody goes back to the middle of a transaction, each costs two turns to PostgreSQL, and one that fails to be released is silent.
        Database.AutoSavepointsEnabled = false;
        return _write = new WriteScope();
    }

    public override int SaveChanges(bool acceptAllChangesOnSuccess)
    {
        Write.Note(ChangeTracker);
        return base.SaveChanges(acceptAllChangesOnSuccess);
    }

    public override Task<int> SaveChangesAsync(bool acceptAllChangesOnSuccess, CancellationToken cancellationToken = default)
    {
        Write.Note(ChangeTracker);
        return base.SaveChangesAsync(acceptAllChangesOnSuccess, cancellationToken);
    }

    // Contexts are pooled: the next user of this one must not find what the last one left.
    public override ValueTask DisposeAsync()
    {
        _write = null;
        return base.DisposeAsync();
    }

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<Guid>().HaveConversion<IdConverter>();
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<InstantConverter>();
        configurationBuilder.Properties<string[]>().HaveConversion<ListConverter<string>, ListComparer<string>>();
        configurationBuilder.Properties<int[]>().HaveConversion<ListConverter<int>, ListComparer<int>>();
        configurationBuilder.Properties<Guid[]>().HaveConversion<ListConverter<Guid>, ListComparer<Guid>>();
        configurationBuilder.Properties<long[]>().HaveConversion<ListConverter<long>, ListComparer<long>>();
        configurationBuilder.Properties<AskedField[]>().HaveConversion<ListConverter<AskedField>, ListComparer<AskedField>>();
        configurationBuilder.Properties<Env>().HaveConversion<WordConverter<Env>>();
        configurationBuilder.Properties<RetentionRows>().HaveConversion<WordConverter<RetentionRows>>();
        configurationBuilder.Properties<Role>().HaveConversion<WordConverter<Role>>();
        configurationBuilder.Properties<OneTimeLinkKind>().HaveConversion<WordConverter<OneTimeLinkKind>>();
        configurationBuilder.Properties<ReplayStatus>().HaveConversion<WordConverter<ReplayStatus>>();
        configurationBuilder.Properties<ReplayState>().HaveConversion<WordConverter<ReplayState>>();
        configurationBuilder.Properties<DueCause>().HaveConversion<WordConverter<DueCause>>();
        configurationBuilder.Properties<AttemptOutcome>().HaveConversion<WordConverter<AttemptOutcome>>();
        configurationBuilder.Properties<DeliveryState>().HaveConversion<WordConverter<DeliveryState>>();
        configurationBuilder.Properties<EncryptionMode>().HaveConversion<WordConverter<EncryptionMode>>();
        configurationBuilder.Properties<DoneScope>().HaveConversion<WordConverter<DoneScope>>();
        configurationBuilder.Properties<Strip>().HaveConversion<WordConverter<Strip>>();
        configurationBuilder.Properties<ImageFault>().HaveConversion<WordConverter<ImageFault>>();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Member>().HasKey(member => new { member.ProjectId, member.UserId });
        modelBuilder.Entity<DailyCount>().HasKey(count => new { count.ProjectId, count.Env, count.Day });
        modelBuilder.Entity<MinuteCount>().HasKey(count => new { count.ProjectId, count.Env, count.Minute });
        modelBuilder.Entity<IdempotentAnswer>().HasKey(answer => new { answer.Scope, answer.Key });
        modelBuilder.Entity<RefreshToken>().HasKey(token => token.Hash);
        modelBuilder.Entity<EventTicket>().HasKey(ticket => ticket.Hash);
        modelBuilder.Entity<ProjectLogo>().HasKey(logo => logo.ProjectId);
        modelBuilder.Entity<OpenIdLink>().HasKey(link => new { link.Issuer, link.Subject });
        modelBuilder.Entity<Visitor>().HasKey(visitor => new { visitor.SessionId, visitor.Id });
        modelBuilder.Entity<WrappedKey>().HasKey(key => key.Name);
        modelBuilder.Entity<Guess>().HasKey(guess => new { guess.Subject, guess.Seconds });
        modelBuilder.Entity<ApiKey>().Ignore(key => key.UsedCodes);
        modelBuilder.Entity<User>().Ignore(user => user.UsedCodes).Ignore(user => user.HasPassword);
        modelBuilder.Entity<Upload>().Ignore(upload => upload.SentSha256);
        modelBuilder.Entity<DeliveryRow>().ToTable("deliveries").Ignore(row => row.Due);
        modelBuilder.Entity<EventDelivery>().Ignore(row => row.Due);
        modelBuilder.Entity<DeliveryAttempt>().HasKey(attempt => new { attempt.DeliveryId, attempt.Number });
        modelBuilder.Entity<DestinationHour>().HasKey(hour => new { hour.DestinationId, hour.Slot });
        modelBuilder.Entity<RenditionRow>().ToTable("renditions");
        modelBuilder.Entity<ImagesOwnership>().ToTable("images_owner");
        modelBuilder.Entity<Worker>().HasKey(worker => worker.Node);
        modelBuilder.Entity<OAuthGrant>().ToTable("oauth_grants");
        modelBuilder.Entity<OAuthRequest>().ToTable("oauth_requests");

        // Owned, not complex, types: EF Core 10 looks for complex ones under other columns in rows that SQL of ours selects, as Database.Locked does.
        Own(modelBuilder.Entity<Upload>(), upload => upload.Fields);
        Own(modelBuilder.Entity<Destination>(), destination => destination.Breaker);
        Own(modelBuilder.Entity<Destination>(), destination => destination.Recent);
        Own(modelBuilder.Entity<EventWebhook>(), webhook => webhook.Breaker);

        // So that what refers to a new row is inserted after it. There are no navigations: a query says what it reads.
        modelBuilder.Entity<Member>().HasOne<Project>().WithMany().HasForeignKey(member => member.ProjectId);
        modelBuilder.Entity<Member>().HasOne<User>().WithMany().HasForeignKey(member => member.UserId);
        modelBuilder.Entity<RefreshToken>().HasOne<SignIn>().WithMany().HasForeignKey(token => token.SignInId);
        modelBuilder.Entity<ProjectLogo>().HasOne<Project>().WithMany().HasForeignKey(logo => logo.ProjectId);
        modelBuilder.Entity<OpenIdLink>().HasOne<User>().WithMany().HasForeignKey(link => link.UserId);
        modelBuilder.Entity<AuditEntry>().HasOne<Project>().WithMany().HasForeignKey(entry => entry.ProjectId);
        modelBuilder.Entity<ApiKey>().HasOne<Project>().WithMany().HasForeignKey(key => key.ProjectId);
        modelBuilder.Entity<EventDelivery>().HasOne<LoggedEvent>().WithMany().HasForeignKey(delivery => delivery.EventId);
        modelBuilder.Entity<DeliveryRow>().HasOne<Upload>().WithMany().HasForeignKey(delivery => delivery.UploadId);

        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            entity.SetTableName(JsonNamingPolicy.SnakeCaseLower.ConvertName(entity.GetTableName()!));
            foreach (var property in entity.GetProperties())
            {
                property.SetColumnName(JsonNamingPolicy.SnakeCaseLower.ConvertName(entity.IsOwned() && property.IsPrimaryKey() ? "Id" : property.Name));
                // Ids are made in code: nothing is left for the database to generate.
                property.ValueGenerated = Microsoft.EntityFrameworkCore.Metadata.ValueGenerated.Never;
            }
        }
    }

    /// <summary>Maps a part of a row to columns among those of the row.</summary>
    private static void Own<T, TPart>(EntityTypeBuilder<T> row, Expression<Func<T, TPart?>> part)
        where T : class
        where TPart : class
    {
        row.OwnsOne(part);
        row.Navigation(part).IsRequired();
    }

    internal sealed class IdConverter() : ValueConverter<Guid, string>(id => id.ToString(), text => Guid.Parse(text));

    internal sealed class InstantConverter() : ValueConverter<DateTimeOffset, long>(
        instant => instant.ToUnixTimeMilliseconds(), milliseconds => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));

    internal sealed class WordConverter<TEnum>() : ValueConverter<TEnum, string>(
        value => value.WireName(), text => EnumNames.Parse<TEnum>(text)!.Value)
        where TEnum : struct, Enum;

    internal sealed class ListConverter<T>() : ValueConverter<T[], string>(
        list => JsonSerializer.Serialize(list, JsonSerializerOptions.Default),
        json => JsonSerializer.Deserialize<T[]>(json, JsonSerializerOptions.Default)!);

    internal sealed class ListComparer<T>() : ValueComparer<T[]>(
        (a, b) => (a ?? Array.Empty<T>()).SequenceEqual(b ?? Array.Empty<T>()),
        list => list.Aggregate(0, (hash, item) => HashCode.Combine(hash, item)),
        list => list.ToArray());
}
