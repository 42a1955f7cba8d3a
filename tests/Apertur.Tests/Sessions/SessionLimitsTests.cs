using Apertur.Server;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Metadata;
using Apertur.Server.Projects;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Sessions;

/// <summary>What a session takes when its creator, its key and the server each say something.</summary>
public sealed class SessionLimitsTests
{
    private readonly List<FieldError> _errors = [];

    [Theory]
    [InlineData("max_images", 0, false)]
    [InlineData("max_images", 1, true)]
    [InlineData("max_images", 500, true)]
    [InlineData("max_images", 501, false)]
    [InlineData("max_image_dimension", 0, false)]
    [InlineData("max_image_dimension", 1, true)]
    [InlineData("max_image_dimension", 100_000, true)]
    [InlineData("max_image_dimension", 100_001, false)]
    [InlineData("max_image_size_mb", 0, false)]
    [InlineData("max_image_size_mb", 1, true)]
    [InlineData("max_image_size_mb", 100, true)]
    [InlineData("max_image_size_mb", 101, false)]
    public void Numbers_have_a_range(string field, int value, bool good)
    {
        Of(new CreateSessionRequest
        {
            MaxImages = field == "max_images" ? value : null,
            MaxImageDimension = field == "max_image_dimension" ? value : null,
            MaxImageSizeMb = field == "max_image_size_mb" ? value : null,
        });

        Assert.Equal(good ? [] : [field], _errors.Select(error => error.Field));
    }

    [Fact]
    public void Who_says_nothing_gets_the_servers_defaults()
    {
        var limits = Of(new CreateSessionRequest());

        Assert.Equal((20, 20, null), (limits.MaxImages, limits.MaxImageSizeMb, limits.MaxImageDimension));
        Assert.Empty(limits.AllowedMimeTypes);
    }

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(10, null, 10)]
    [InlineData(null, 10, 10)]
    [InlineData(10, 20, 10)]
    [InlineData(20, 10, 10)]
    public void The_smaller_dimension_counts(int? asked, int? ofKey, int? expected) =>
        Assert.Equal(expected, Of(new CreateSessionRequest { MaxImageDimension = asked }, Key(dimension: ofKey)).MaxImageDimension);

    [Theory]
    [InlineData(10, 5, 5)]
    [InlineData(5, 10, 5)]
    [InlineData(null, 5, 5)]
    [InlineData(null, 50, 20)]
    public void The_smaller_number_of_images_counts(int? asked, int? ofKey, int expected) =>
        Assert.Equal(expected, Of(new CreateSessionRequest { MaxImages = asked }, Key(images: ofKey)).MaxImages);

    [Theory]
    [InlineData(null, null, 20, 20)]
    [InlineData(5, 3, 5, 3)]
    [InlineData(50, 50, 20, 20)]
    public void A_project_makes_them_smaller_and_never_larger(int? images, int? sizeMb, int expectedImages, int expectedSizeMb)
    {
        var limits = Of(new CreateSessionRequest(), project: (images, sizeMb));

        Assert.Equal((expectedImages, expectedSizeMb), (limits.MaxImages, limits.MaxImageSizeMb));
    }

    [Fact]
    public void Types_are_those_that_both_allow()
    {
        Assert.Equal(["image/png"], Of(Types("image/png", "image/webp"), Key(types: ["image/png", "image/jpeg"])).AllowedMimeTypes);
        Assert.Equal(["image/jpeg"], Of(new CreateSessionRequest(), Key(types: ["image/jpeg"])).AllowedMimeTypes);
        Assert.Equal(["image/heic"], Of(Types("image/heif", "image/heic")).AllowedMimeTypes);
        Assert.Equal(["image/png"], Of(Types("image/png"), Key()).AllowedMimeTypes);
        Assert.Equal(["image/jpeg", "image/png", "image/webp", "image/heic"], SessionLimits.AllTypes);
        Assert.Empty(_errors);
    }

    [Fact]
    public void Session_takes_the_types_it_names_or_else_every_one()
    {
        var session = new UploadSession
        {
            Id = Guid.Empty,
            ProjectId = Guid.Empty,
            KeyId = null,
            Env = Env.Live,
            DestinationIds = [],
            DestinationsCount = 0,
            LongPolling = false,
            MaxImages = 1,
            MaxImageSizeMb = 1,
            CreatedAt = default,
            ExpiresAt = default,
            LastChanged = default,
        };
        Assert.Equal(SessionLimits.AllTypes, SessionLimits.AllowedTypes(session));
        session.AllowedMimeTypes = ["image/png"];
        Assert.Equal(["image/png"], SessionLimits.AllowedTypes(session));
    }

    [Fact]
    public void Types_that_do_not_exist_or_that_the_key_forbids_are_refused()
    {
        Of(Types("image/gif"));
        // Said once, whoever else would refuse it.
        Of(Types("image/gif"), Key(types: ["image/jpeg"]));
        Of(Types("image/webp"), Key(types: ["image/jpeg"]));

        Assert.Equal(Enumerable.Repeat("allowed_mime_types", 3), _errors.Select(error => error.Field));
    }

    [Theory]
    [InlineData(null, nameof(Strip.None), nameof(Strip.None))]
    [InlineData("none", nameof(Strip.Location), nameof(Strip.Location))]
    [InlineData("all", nameof(Strip.Location), nameof(Strip.All))]
    [InlineData("location", nameof(Strip.All), nameof(Strip.All))]
    public void What_takes_out_more_counts(string? asked, string ofProject, string expected)
    {
        Assert.Equal(expected, Of(new CreateSessionRequest { Strip = asked }, strip: Enum.Parse<Strip>(ofProject)).Strip.ToString());
        Assert.Empty(_errors);
    }

    [Fact]
    public void Unknown_word_for_what_to_take_out_is_refused()
    {
        Of(new CreateSessionRequest { Strip = "some" });

        Assert.Equal(["strip"], _errors.Select(error => error.Field));
    }

    private static CreateSessionRequest Types(params string[] types) => new() { AllowedMimeTypes = types };

    private SessionLimits Of(
        CreateSessionRequest request, ApiKey? key = null, (int? Images, int? SizeMb) project = default, Strip strip = Strip.None)
    {
        using var folder = new TempFolder();
        var of = new Project
        {
            Id = Guid.Empty,
            Name = "",
            WebhookSecret = "",
            CreatedAt = default,
            UpdatedAt = default,
            MaxImagesPerSession = project.Images,
            MaxImageSizeMb = project.SizeMb,
            Strip = strip,
        };
        return SessionLimits.Of(request, key, of, Settings.Load(folder.Path).Limits, _errors);
    }

    private static ApiKey Key(int? images = null, int? dimension = null, string[]? types = null) => new()
    {
        Id = Guid.Empty,
        ProjectId = Guid.Empty,
        Env = Env.Live,
        Prefix = "",
        Hash = "",
        Label = "",
        CreatedAt = default,
        MaxImages = images,
        MaxImageDimension = dimension,
        AllowedMimeTypes = types ?? [],
    };
}
