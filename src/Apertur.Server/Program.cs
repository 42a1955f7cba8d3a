using System.CommandLine;
using Apertur.Server.Commands;

// Signals belong to the server, which lets running deliveries finish; the parser's own handling would end it after two seconds.
return await CommandLine.Create().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
