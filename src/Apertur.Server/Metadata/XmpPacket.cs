using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Apertur.Server.Metadata;

/// <summary>XMP, an XML document that holds properties of any vocabulary (ISO 16684-1).</summary>
internal static class XmpPacket
{
    // What programs write is mostly below 64 kB.
    private const int MaxLength = 1024 * 1024;

    private const int MaxNamespaces = 1000;

    private static readonly string[] _parts = ["gps", "latitude", "longitude", "altitude", "location", "country"];

    private static readonly HashSet<string> _names = new(
        ["city", "state", "province", "provincestate", "worldregion", "coverage", "coordinates", "geo", "lat", "lon", "long", "lng"],
        StringComparer.OrdinalIgnoreCase);

    private static readonly XmlReaderSettings _reading = new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };

    private static readonly XmlWriterSettings _writing = new()
    {
        OmitXmlDeclaration = true,
        Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        NewLineHandling = NewLineHandling.None,
    };

    /// <summary>Takes the properties out that tell a place, in whatever vocabulary. Where there are none, nothing changes.</summary>
    /// <returns>False when it cannot be read: then none of it may stay.</returns>
    public static bool RemoveLocation(Span<byte> packet)
    {
        if (packet.Length > MaxLength)
            return false;
        try
        {
            using var reader = XmlReader.Create(new MemoryStream(packet.TrimEnd((byte)0).ToArray()), _reading);
            var document = XDocument.Load(reader, LoadOptions.PreserveWhitespace);
            var elements = document.Descendants().Where(element => TellsPlace(element.Name)).ToList();
            var attributes = document.Descendants().Attributes()
                .Where(attribute => !attribute.IsNamespaceDeclaration && TellsPlace(attribute.Name)).ToList();
            if (elements.Count + attributes.Count == 0)
                return true;

            // Each that is written is looked for among them.
            if (document.Descendants().Attributes().Count(attribute => attribute.IsNamespaceDeclaration) > MaxNamespaces)
                return false;
            elements.ForEach(element => element.Remove());
            attributes.ForEach(attribute => attribute.Remove());
            return document.Root is not null && Write(document, packet);
        }
        catch (XmlException)
        {
            return false;
        }
    }

    /// <summary>Writes a document that says nothing, where there must be one.</summary>
    public static void WriteEmpty(Span<byte> packet)
    {
        packet.Fill((byte)' ');
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"/>"u8.TryCopyTo(packet);
    }

    /// <summary>Writes it in the old one's place, and spaces behind it.</summary>
    private static bool Write(XDocument document, Span<byte> packet)
    {
        var bytes = new MemoryStream();
        using (var writer = XmlWriter.Create(bytes, _writing))
            document.Save(writer);
        if (bytes.Length > packet.Length)
            return false;
        packet.Fill((byte)' ');
        bytes.ToArray().CopyTo(packet);
        return true;
    }

    private static bool TellsPlace(XName name) =>
        _names.Contains(name.LocalName)
        || Array.Exists(_parts, part => name.LocalName.Contains(part, StringComparison.OrdinalIgnoreCase))
        || name.NamespaceName.Contains("/geo/", StringComparison.OrdinalIgnoreCase);
}
