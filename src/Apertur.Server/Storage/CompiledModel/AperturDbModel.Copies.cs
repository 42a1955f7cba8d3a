using Microsoft.EntityFrameworkCore.Metadata;

namespace Apertur.Server.Storage.CompiledModel;

/// <summary>
/// What EF Core makes of <see cref="AperturDb"/> at every start, made once: see docs/decisions/0021-compiled-ahead.md. All other files of this
/// folder are EF Core's and written by its test.
/// </summary>
/// <remarks>A model keeps how its database writes each type, and a process may use two databases: the one that comes second has a copy.</remarks>
public partial class AperturDbModel
{
    private static readonly Lazy<IModel> _sqlite = new(Next);
    private static readonly Lazy<IModel> _postgreSql = new(Next);
    private static int _used;

    public static IModel Sqlite => _sqlite.Value;

    public static IModel PostgreSql => _postgreSql.Value;

    private static IModel Next()
    {
        if (Interlocked.Increment(ref _used) == 1)
            return Instance;
        var model = new AperturDbModel();
        model.Initialize();
#pragma warning disable EF1001 // As the classes around do that EF Core makes.
        return model.FinalizeModel();
#pragma warning restore EF1001
    }
}
