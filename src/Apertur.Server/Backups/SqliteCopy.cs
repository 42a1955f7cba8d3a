using Apertur.Server.Storage;
using Microsoft.Data.Sqlite;

namespace Apertur.Server.Backups;

/// <summary>
/// Copies of a SQLite database, by <c>VACUUM INTO</c>: one read transaction, which holds up no writer, and a file in which nothing is left of what
/// was deleted.
/// </summary>
internal static class SqliteCopy
{
    private const string Name = "apertur.db";

    /// <summary>Copies it as it is at one moment; on disk when it returns.</summary>
    /// <returns>The scripts that made its tables.</returns>
    public static IReadOnlyList<int> Write(Settings settings, string folder, string photoList)
    {
        var path = Path.Combine(folder, Name);
        var draft = path + ".tmp";
        using (var source = Connect(Database.SqliteConnectionString(settings)))
        {
            using var vacuum = source.CreateCommand();
            vacuum.CommandText = "VACUUM INTO $path";
            vacuum.Parameters.AddWithValue("$path", draft);
            vacuum.ExecuteNonQuery();
        }

        using (var copy = Connect($"Data Source={draft};Mode=ReadOnly"))
        {
            if (Read(copy, "PRAGMA quick_check(1)", row => row.GetString(0)).Single() is not "ok" and var found)
                throw new InvalidOperationException($"The database is damaged, and no backup was made: {found}");
            File.WriteAllLines(photoList, Read(copy, PhotoList.Select, row => row.GetString(0)));
            var scripts = Read(copy, "SELECT number FROM schema_scripts ORDER BY number", row => row.GetInt32(0)).ToList();
            copy.Close();
            DurableFile.Publish(draft, path);
            return scripts;
        }
    }

    /// <summary>Whether there is no database yet.</summary>
    public static bool IsFree(Settings settings) => !File.Exists(Path.Combine(settings.DataFolder, Name));

    /// <summary>Puts a copy, marked (<see cref="Migrator.RestoreMark"/>), in the place of a database that is not there; on disk when it returns.</summary>
    public static void Load(Settings settings, string folder, BackupManifest about)
    {
        var path = Path.Combine(settings.DataFolder, Name);
        // What a database left that was removed by hand would be taken for this one's.
        foreach (var of in new[] { "-wal", "-shm", ".tmp", ".tmp-journal", ".tmp-wal", ".tmp-shm" })
            File.Delete(path + of);
        File.Copy(Path.Combine(folder, Name), path + ".tmp");
        using (var copy = Connect($"Data Source={path}.tmp"))
        {
            using var mark = copy.CreateCommand();
            mark.CommandText = Migrator.RestoreMark(about.MadeAt);
            mark.ExecuteNonQuery();
        }

        DurableFile.Publish(path + ".tmp", path);
    }

    // Not pooled: the file is to be closed when it is done with.
    private static SqliteConnection Connect(string text)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder(text) { Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    private static IEnumerable<T> Read<T>(SqliteConnection connection, string sql, Func<SqliteDataReader, T> read)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var rows = command.ExecuteReader();
        while (rows.Read())
            yield return read(rows);
    }
}
