using Microsoft.EntityFrameworkCore.Metadata;

namespace Apertur.Server.Storage.CompiledModel;

/// <summary>
/// What EF Core makes of <see cref="AperturDb"/> at every start, made once: see docs/decisions/0021-compiled-ahead.md. All other files of this
/// folder are EF Core's and written by its test.
/// </summary>
public partial class AperturDbModel
{
    private static readonly Lazy<IModel> _postgreSql = new(() =>
    {
        var model = new AperturDbModel();
        model.Initialize();
#pragma warning disable EF1001 // As the classes around do that EF Core makes.
        return model.FinalizeModel();
#pragma warning restore EF1001
    });

    /// <summary>For the first database that uses it. A model keeps how that writes each type, and a process may use two.</summary>
    public static IModel Sqlite => Instance;

    /// <summary>The same for PostgreSQL.</summary>
    public static IModel PostgreSql => _postgreSql.Value;
}
