using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Http;
using Apertur.Server.Metadata;
using Apertur.Server.Pictures;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Projects;

/// <summary>The picture that a project's pages show, as it is served.</summary>
internal sealed class ProjectLogo
{
    public required Guid ProjectId { get; init; }

    /// <summary>The first half of its SHA-256 in hex: what its address names it by.</summary>
    public required string Hash { get; set; }

    /// <summary>Base64 of a PNG of our own making.</summary>
    public required string Png { get; set; }
}

/// <summary>
/// Logos of projects. What somebody sends is drawn anew by the child process that makes thumbnails, SVG too: no script, no metadata and no
/// trick of a file's format can be in what strangers get to see.
/// </summary>
internal sealed class Logos(PictureProcess process, Settings settings, TimeProvider clock)
{
    /// <summary>Where they are on this server.</summary>
    public const string Folder = "/logos";

    /// <summary>Of the file that is sent.</summary>
    public const int MaxBytes = 200 * 1024;

    private const int MaxSide = 4096;
    private const int HashLength = 32;
    private const string Field = "branding.logo";

    private static readonly SearchValues<byte> _whiteSpace = SearchValues.Create(" \t\r\n"u8);

    private static readonly TimeSpan _longestWait = TimeSpan.FromSeconds(10);

    // A picture takes up to a second of a core, and one that was made to be slow some seconds. Whoever sends several at once waits.
    private readonly PictureLanes _lanes = new(2);

    private readonly PictureJob _job = new()
    {
        Form = PictureForm.Logo,
        Quality = 80,
        Strip = Strip.All,
        MemoryMb = settings.Thumbnails.MemoryMb,
        CpuSeconds = settings.Thumbnails.CpuSeconds,
        MaxBytes = 1024 * 1024,
    };

    /// <summary>Its address on this server; null when the project has none.</summary>
    public static string? Path(string? hash) => hash is null ? null : $"{Folder}/{hash}.png";

    /// <summary>Draws a logo anew.</summary>
    /// <param name="given">Base64 of a PNG or an SVG, as it is or as a data URL.</param>
    /// <param name="sender">Whose it is; one is drawn at a time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>A PNG.</returns>
    /// <exception cref="ApiErrorException">400: it is none, too large, or cannot be drawn. 503: too many others are drawn.</exception>
    public async Task<byte[]> DrawAsync(string given, Guid sender, CancellationToken cancellationToken)
    {
        var file = Decode(given);
        var type = await TypeOfAsync(file, cancellationToken);
        using var lane = await EnterAsync(sender, cancellationToken);
        using var picture = new MemoryStream(file, writable: false);
        using var png = new MemoryStream();
        var result = await process.RunAsync(picture, type, _job, png.WriteAsync, cancellationToken);
        return result switch
        {
            { Failure: { } reason } => throw ApiErrors.Validation(Field, $"The logo cannot be used. {reason}").ToException(),
            { Unavailable: not null } => throw ApiErrors.Unavailable.ToException(),
            _ => png.ToArray(),
        };
    }

    /// <summary>Puts a logo in the place of the one that the project has, or takes that away.</summary>
    public static async Task StoreAsync(AperturDb db, Project project, byte[]? png, CancellationToken cancellationToken)
    {
        project.BrandLogo = png is null ? null : Convert.ToHexStringLower(SHA256.HashData(png))[..HashLength];
        var row = await db.ProjectLogos.SingleOrDefaultAsync(logo => logo.ProjectId == project.Id, cancellationToken);
        if (png is null)
        {
            if (row is not null)
                db.ProjectLogos.Remove(row);
            return;
        }

        if (row is null)
            db.ProjectLogos.Add(row = new ProjectLogo { ProjectId = project.Id, Hash = "", Png = "" });
        (row.Hash, row.Png) = (project.BrandLogo!, Convert.ToBase64String(png));
    }

    /// <summary>GET /logos/{name}: anybody who has a page of the project sees it.</summary>
    public static async Task<IResult> Get(string name, HttpResponse response, AperturDb db, CancellationToken cancellationToken)
    {
        var hash = name.EndsWith(".png", StringComparison.Ordinal) ? name[..^4] : "";
        if (hash.Length != HashLength || !hash.All(char.IsAsciiHexDigitLower))
            throw ApiErrors.NotFound.ToException();
        var png = await db.ProjectLogos.Where(logo => logo.Hash == hash).Select(logo => logo.Png).FirstOrDefaultAsync(cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        return TypedResults.Bytes(Convert.FromBase64String(png), ImageHeader.Png);
    }

    private async Task<IDisposable> EnterAsync(Guid sender, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_longestWait, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await _lanes.EnterAsync(sender, Guid.NewGuid(), either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ApiErrors.Unavailable.ToException();
        }
    }

    private static byte[] Decode(string given)
    {
        var base64 = given.StartsWith("data:", StringComparison.OrdinalIgnoreCase) ? given[(given.IndexOf(',', StringComparison.Ordinal) + 1)..] : given;
        var bytes = new byte[MaxBytes + 3];
        if (base64.Length <= (MaxBytes + 2) / 3 * 4 && Convert.TryFromBase64String(base64, bytes, out var length) && length is > 0 and <= MaxBytes)
            return bytes[..length];
        throw Refusal($"must be base64 of a PNG or an SVG of at most {MaxBytes / 1024} kB");
    }

    private static async Task<string> TypeOfAsync(byte[] file, CancellationToken cancellationToken)
    {
        if (ImageHeader.TypeOf(file) == ImageHeader.Png)
        {
            var size = await ImageHeader.SizeOfAsync(new LoadedBytes(new MemoryStream(file, writable: false)), ImageHeader.Png, cancellationToken);
            // Its last chunk: decoders draw what there is of a file that was cut off.
            return size is { Width: <= MaxSide, Height: <= MaxSide } && file.AsSpan().LastIndexOf("IEND"u8) >= 0 ? ImageHeader.Png
                : throw Refusal($"is a PNG that is damaged or has more than {MaxSide} pixels on a side");
        }

        var text = file.AsSpan();
        if (text.StartsWith(Encoding.UTF8.Preamble))
            text = text[Encoding.UTF8.Preamble.Length..];
        var start = text.IndexOfAnyExcept(_whiteSpace);
        return start >= 0 && text[start] == (byte)'<' ? PictureWorker.Svg : throw Refusal("must be a PNG or an SVG");
    }

    private static ApiErrorException Refusal(string how) => ApiErrors.Validation(Field, $"{Field} {how}.").ToException();
}
