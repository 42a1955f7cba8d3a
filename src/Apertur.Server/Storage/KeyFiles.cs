using System.Xml;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Apertur.Server.Storage;

/// <summary>
/// Data Protection's keys, one file each. Unlike the framework's own repository it gives out no key that a power cut could take back: rows are
/// encrypted with a key, and committed, as soon as it is known.
/// </summary>
internal sealed class KeyFiles : IXmlRepository
{
    // A draft is renamed within moments; one that is older was left by a crash.
    private static readonly TimeSpan _longestDraft = TimeSpan.FromHours(1);

    private readonly string _folder;

    /// <param name="folder">Exists, and is readable by this program only.</param>
    /// <exception cref="InvalidOperationException">A file is damaged.</exception>
    public KeyFiles(string folder)
    {
        _folder = folder;
        DurableFile.DeleteDrafts(folder, TimeProvider.System.GetUtcNow() - _longestDraft);
        // The framework would report a damaged file at the first use, as a text that cannot be decrypted.
        GetAllElements();
    }

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        XElement[] elements = [.. Directory.EnumerateFiles(_folder, "*.xml").Select(Read)];
        // Another process may have named a key a moment ago, and not have synced its name yet.
        DurableFile.SyncDirectory(_folder);
        return elements;
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        using var xml = new MemoryStream();
        element.Save(xml);
        DurableFile.Write(Path.Combine(_folder, friendlyName + ".xml"), xml.ToArray(), overwrite: false);
    }

    private static XElement Read(string path)
    {
        try
        {
            // Not by its path, which would be read as an address.
            using var file = File.OpenRead(path);
            return XElement.Load(file);
        }
        catch (XmlException exception)
        {
            throw new InvalidOperationException(
                $"The key file {path} is damaged: restore it from a backup. Without it, what was encrypted with its key cannot be read any more; "
                + "if there is no copy, move it out of the folder and start again.", exception);
        }
    }
}
