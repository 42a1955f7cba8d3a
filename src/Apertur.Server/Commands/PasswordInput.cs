using System.CommandLine;
using System.Text;

namespace Apertur.Server.Commands;

/// <summary>
/// The password that a command needs: asked for, from standard input, or from the environment. As an argument it works too, but every
/// user of the machine can read the arguments of a process, and shells keep them.
/// </summary>
internal static class PasswordInput
{
    private const string Variable = "APERTUR_PASSWORD";

    public static Option<string?> Argument { get; } = new("--password")
    {
        Description = "The password; without a value it is asked for. Others on this machine can see what is given here.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Option<bool> StandardInput { get; } = new("--password-stdin")
    {
        Description = $"Read the password from the first line of standard input. It may also stand in {Variable}.",
    };

    /// <summary>The password, wherever it comes from; null when nobody gave one.</summary>
    /// <exception cref="CommandException">It cannot be had in the way that was asked for.</exception>
    public static string? Read(ParseResult parsed)
    {
        var argument = parsed.GetResult(Argument);
        if (parsed.GetValue(StandardInput))
        {
            return argument is null
                ? Console.In.ReadLine() ?? throw new CommandException("There is no password on standard input.")
                : throw new CommandException("--password and --password-stdin exclude each other.");
        }

        return argument is not null
            ? parsed.GetValue(Argument) ?? Ask()
            : Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } variable ? variable : null;
    }

    /// <inheritdoc cref="Read"/>
    /// <remarks>It is asked for when nobody gave one.</remarks>
    public static string Require(ParseResult parsed) => Read(parsed) ?? Ask();

    /// <summary>Asks on standard error: what a command prints may go to a program.</summary>
    private static string Ask()
    {
        if (Console.IsInputRedirected)
            throw new CommandException($"A password is needed: give it with --password-stdin, in {Variable}, or start this in a terminal.");
        var password = ReadHidden("Password: ");
        return ReadHidden("Again:    ") == password ? password : throw new CommandException("These were two different passwords.");
    }

    private static string ReadHidden(string prompt)
    {
        // Looking for a key switches the terminal's echo off, for those who type before they are asked.
        _ = Console.KeyAvailable;
        Console.Error.Write(prompt);
        var text = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
                text.Length = Math.Max(0, text.Length - 1);
            else if (key.KeyChar != '\0')
                text.Append(key.KeyChar);
        }

        Console.Error.WriteLine();
        return text.ToString();
    }
}
