using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Apertur.Server.Pictures;

/// <summary>
/// Resource limits (setrlimit(2)), and those that a process puts on itself before it does something dangerous. Only root can take these back; they
/// hold for whatever else comes to run in it.
/// </summary>
internal static partial class ProcessLimits
{
    // As Linux numbers them on x64 and arm64.
    private const int CpuTime = 0;
    private const int FileSize = 1;
    private const int CoreSize = 4;
    private const int OpenFiles = 7;
    private const int AddressSpace = 9;

    /// <summary>How many file descriptors this process may have; null where nothing limits them, or it is not known.</summary>
    public static long? MostOpenFiles =>
        OperatingSystem.IsLinux() && GetLimit(OpenFiles, out var limit) == 0 && limit.Soft <= int.MaxValue ? (long)limit.Soft : null;

    /// <summary>
    /// Limits the memory it may map and the processor time it may use in all, and keeps it from opening anything: no file, no socket, no
    /// device, since no file descriptor is below the limit of zero. Those that are open stay. Nothing happens on other systems than Linux.
    /// </summary>
    /// <param name="memoryMb">Beyond what is mapped already.</param>
    /// <param name="cpuSeconds">From its start. After them the system ends it by SIGXCPU.</param>
    public static void Apply(int memoryMb, int cpuSeconds)
    {
        if (!OperatingSystem.IsLinux())
            return;
        // When the machine runs out of memory all the same, this process is ended first.
        File.WriteAllText("/proc/self/oom_score_adj", "1000");
        var pages = long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[0], CultureInfo.InvariantCulture);
        Set(AddressSpace, (pages * Environment.SystemPageSize) + (memoryMb * 1024L * 1024));
        // At the first limit comes SIGXCPU, which names the cause; at the second SIGKILL.
        Set(CpuTime, cpuSeconds, cpuSeconds + 1);
        Set(CoreSize, 0);
        Set(FileSize, 0);
        Set(OpenFiles, 0);
    }

    /// <summary>
    /// Ends this process at once (_exit(2)): an ordinary end takes two seconds where no file may be open, since one of .NET's own threads then asks
    /// poll(2), which allows no more descriptors than that limit, over and over. Does nothing on other systems than Linux.
    /// </summary>
    public static void Exit(int code)
    {
        if (OperatingSystem.IsLinux())
            ExitNow(code);
    }

    private static void Set(int resource, long limit) => Set(resource, limit, limit);

    private static void Set(int resource, long soft, long hard)
    {
        var both = new Limit((nuint)soft, (nuint)hard);
        if (SetLimit(resource, in both) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitNow(int code);

    private readonly record struct Limit(nuint Soft, nuint Hard);
}
