using System.CommandLine;
using Apertur.Server.Commands;
using Apertur.Server.Storage;
using Apertur.Server.Pictures;

// Not a command: what a server runs to decode a picture, before anything else is loaded.
if (args is [PictureWorker.Command, .. var picture])
    return PictureWorker.Run(picture);

PrivateFiles.SetUmask();
var command = CommandLine.Create().Parse(args);
return await command.InvokeAsync(new InvocationConfiguration
{
    // Signals belong to the server, which lets running deliveries finish; the parser's own handling would end it after 2 seconds.
    ProcessTerminationTimeout = null,
    // Help that nobody asked for is no output: it must not reach a program that reads keys.
    Output = command.Errors.Count == 0 ? Console.Out : Console.Error,
});
