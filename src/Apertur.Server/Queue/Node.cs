using System.Security.Cryptography;

namespace Apertur.Server.Queue;

/// <summary>Names this process among those that share a database. Made anew at each start; members of projects see it, so it tells no host.</summary>
internal static class Node
{
    public static string Name { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
}
