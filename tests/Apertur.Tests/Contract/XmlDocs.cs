using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Apertur.Tests.Contract;

/// <summary>The doc comments of the server's code, as the compiler wrote them beside the program.</summary>
internal sealed partial class XmlDocs
{
    private readonly Dictionary<string, XElement> _members = XDocument.Load(Path.Combine(AppContext.BaseDirectory, "apertur.xml"))
        .Descendants("member").ToDictionary(member => member.Attribute("name")!.Value);

    public string? Of(Type type) => Summary($"T:{Name(type)}");

    /// <summary>Overloads are told apart by nothing: handlers have none.</summary>
    public string? Of(MethodInfo method)
    {
        var name = $"M:{Name(method.DeclaringType!)}.{method.Name}";
        return _members.Keys.Where(key => key == name || key.StartsWith(name + "(", StringComparison.Ordinal)).Select(Summary).SingleOrDefault();
    }

    /// <summary>A property's own comment, or that of the record parameter which it comes from.</summary>
    public string? Of(MemberInfo property)
    {
        var type = Name(property.DeclaringType!);
        return Summary($"P:{type}.{property.Name}")
            ?? Text(_members.GetValueOrDefault($"T:{type}")?.Elements("param").FirstOrDefault(p => p.Attribute("name")?.Value == property.Name));
    }

    private string? Summary(string member) => Text(_members.GetValueOrDefault(member)?.Element("summary"));

    private static string Name(Type type) =>
        (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!.Replace('+', '.');

    private static string? Text(XElement? element)
    {
        if (element is null)
            return null;
        var words = string.Concat(element.Nodes().Select(node => node switch
        {
            XText text => text.Value,
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement reference => reference.Attribute("cref")?.Value.Split('(')[0].Split('.')[^1] ?? reference.Attribute("name")?.Value ?? reference.Value,
            _ => "",
        }));
        return Space().Replace(words, " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
