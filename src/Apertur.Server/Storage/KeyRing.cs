using System.Xml;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Apertur.Server.Storage;

/// <summary>Data Protection's keys, wherever the installation keeps them.</summary>
internal sealed class KeyRing(IKeyStore store) : IXmlRepository
{
    /// <summary>What the names of keys end with.</summary>
    public const string Suffix = ".xml";

    /// <exception cref="InvalidOperationException">A key is damaged. The framework would report it at the first use, as a text that cannot be decrypted.</exception>
    public IReadOnlyCollection<XElement> GetAllElements() =>
        [.. store.Read().Where(key => key.Name.EndsWith(Suffix, StringComparison.Ordinal)).Select(Parse)];

    public void StoreElement(XElement element, string friendlyName)
    {
        using var xml = new MemoryStream();
        element.Save(xml);
        if (!store.Add(friendlyName + Suffix, xml.ToArray()))
            throw new IOException($"There is a key {friendlyName} already.");
    }

    private XElement Parse((string Name, byte[] Content) key)
    {
        try
        {
            using var xml = new MemoryStream(key.Content);
            return XElement.Load(xml);
        }
        catch (XmlException exception)
        {
            var path = store.PathOf(key.Name);
            throw new InvalidOperationException(
                $"The key file {path} is damaged: restore it from a backup. Without it, what was encrypted with its key cannot be read any more; "
                + "if there is no copy, move it out of the folder and start again.", exception);
        }
    }
}
