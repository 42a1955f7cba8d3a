using System.Reflection;

namespace Apertur.Server;

/// <summary>The libraries that this program is made of, which the runtime otherwise loads one by one when their code is first used.</summary>
internal static class Libraries
{
    /// <summary>
    /// Loads all of them. A runtime that has to load one while the process is out of file descriptors ends the process, and with it a server
    /// that would have refused some requests for a moment.
    /// </summary>
    public static void LoadAll()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var next = new Queue<Assembly>([typeof(Libraries).Assembly]);
        while (next.TryDequeue(out var assembly))
        {
            foreach (var name in assembly.GetReferencedAssemblies().Where(name => seen.Add(name.FullName)))
            {
                try
                {
                    next.Enqueue(Assembly.Load(name));
                }
                catch (Exception failure) when (failure is IOException or BadImageFormatException)
                {
                    // Named by a library for a use that this program does not make of it, and not a part of this one.
                }
            }
        }
    }
}
