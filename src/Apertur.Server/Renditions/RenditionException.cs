namespace Apertur.Server.Renditions;

/// <summary>There is no rendition of an image, for a reason that destinations have nothing to do with.</summary>
/// <param name="reason">Why, for the project's members.</param>
/// <param name="isFinal">Whether trying again would come to the same.</param>
internal sealed class RenditionException(string reason, bool isFinal) : Exception(reason)
{
    public bool IsFinal => isFinal;
}
