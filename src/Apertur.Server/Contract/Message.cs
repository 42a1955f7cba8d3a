namespace Apertur.Server.Contract;

/// <summary>What was done, in a sentence.</summary>
internal sealed record MessageResponse(string Message);
