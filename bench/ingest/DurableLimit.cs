using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Apertur.Bench.Ingest;

/// <summary>
/// What the disk and the processor allow: so many threads write the same bytes to a file each, hash them, sync the file, give it its name and sync
/// the folder. No network and no rows.
/// </summary>
internal static partial class DurableLimit
{
    private const int ChunkBytes = 256 * 1024;

    /// <returns>Files a second.</returns>
    public static double Run(string folder, byte[] image, int writers, int filesPerWriter)
    {
        var store = Path.Combine(folder, "limit");
        Directory.CreateDirectory(store);
        using var start = new Barrier(writers + 1);
        var threads = Enumerable.Range(0, writers).Select(writer => new Thread(() =>
        {
            start.SignalAndWait();
            for (var i = 0; i < filesPerWriter; i++)
                Write(store, $"{writer}-{i}", image);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        start.SignalAndWait();
        var clock = Stopwatch.StartNew();
        threads.ForEach(thread => thread.Join());
        var perSecond = writers * filesPerWriter / clock.Elapsed.TotalSeconds;
        Directory.Delete(store, recursive: true);
        return perSecond;
    }

    private static void Write(string store, string name, byte[] image)
    {
        var path = Path.Combine(store, name);
        using (var file = File.OpenHandle($"{path}.new", FileMode.CreateNew, FileAccess.Write))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (var at = 0; at < image.Length; at += ChunkBytes)
            {
                var chunk = image.AsSpan(at, Math.Min(ChunkBytes, image.Length - at));
                hash.AppendData(chunk);
                RandomAccess.Write(file, chunk, at);
            }

            hash.GetHashAndReset();
            RandomAccess.FlushToDisk(file);
        }

        Require(Rename($"{path}.new", path));
        var folder = Require(Open(store, 0));
        Require(Fsync(folder));
        Require(Close(folder));
    }

    private static int Require(int result) => result >= 0 ? result : throw new IOException($"Error {Marshal.GetLastPInvokeError()} of the disk.");

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(string path, string newPath);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
