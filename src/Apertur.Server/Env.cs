namespace Apertur.Server;

/// <summary>The environment a key, session or upload belongs to. Lists and statistics never mix the two unasked.</summary>
internal enum Env
{
    Live,
    Test,
}
