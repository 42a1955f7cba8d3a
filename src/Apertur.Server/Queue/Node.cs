using System.Reflection;
using System.Security.Cryptography;

namespace Apertur.Server.Queue;

/// <summary>
/// The id of this process among those that share a database. New at each start; members of projects see it, so it holds no host name.
/// </summary>
internal static class Node
{
    public static string Name { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));

    /// <summary>Of the program.</summary>
    public static string Version { get; } =
        typeof(Node).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
}
