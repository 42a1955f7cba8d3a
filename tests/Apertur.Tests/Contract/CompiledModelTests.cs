using System.Text.RegularExpressions;
using Apertur.Server.Storage;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Scaffolding;
using Microsoft.EntityFrameworkCore.Sqlite.Design.Internal;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Contract;

/// <summary>EF Core's model of the tables is part of the program, so that no start has to make it: docs/decisions/0021-compiled-ahead.md.</summary>
public sealed partial class CompiledModelTests
{
    private static readonly string _place = Path.Combine(RepositoryFiles.Root, "src/Apertur.Server/Storage/CompiledModel");

    [Fact]
    public void Compiled_model_is_what_AperturDb_says_of_the_tables()
    {
        using var folder = new TempFolder();
        using var db = new AperturDb(new DbContextOptionsBuilder<AperturDb>().UseSqlite().Options);
        var services = new ServiceCollection();
        services.AddEntityFrameworkDesignTimeServices();
#pragma warning disable EF1001 // There is no other way to it than as EF Core's own tool goes.
        new SqliteDesignTimeServices().ConfigureDesignTimeServices(services);
#pragma warning restore EF1001
        services.AddDbContextDesignTimeServices(db);
        using var provider = services.BuildServiceProvider();
        var files = provider.CreateScope().ServiceProvider.GetRequiredService<ICompiledModelScaffolder>().ScaffoldModel(
            db.GetService<IDesignTimeModel>().Model,
            folder.Path,
            new CompiledModelCodeGenerationOptions
            {
                ContextType = typeof(AperturDb),
                ModelNamespace = "Apertur.Server.Storage.CompiledModel",
                Language = "C#",
            });

        foreach (var file in files)
            Accepting.Compare(
                Path.Combine(_place, Path.GetFileName(file)), AnyId().Replace(File.ReadAllText(file), "default"), "The compiled model", "CompiledModel");
        Assert.Equal(
            files.Select(file => Path.GetFileName(file)).Append("AperturDbModel.Copies.cs").Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(_place).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
    }

    // Another one each time.
    [GeneratedRegex("""new Guid\("[0-9a-f-]+"\)""")]
    private static partial Regex AnyId();
}
