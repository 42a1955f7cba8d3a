namespace Apertur.Tests.Support;

/// <summary>A file whose bytes the disk does not give: reading it is an input/output error (EIO), for root too.</summary>
internal static class UnreadableFile
{
    public static void Put(string path)
    {
        File.Delete(path);
        // Nothing of a process is at address 0.
        File.CreateSymbolicLink(path, "/proc/self/mem");
    }
}
