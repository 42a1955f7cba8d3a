using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Apertur.Tests.Support;

/// <summary>What a server logs: kept for tests that look at it, and shown with the test when that fails.</summary>
internal sealed class TestLog : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();
    // A run of chaos/ says what it measured, and nothing else.
    private readonly ITestOutputHelper? _output =
        Environment.GetEnvironmentVariable("CHAOS_RUN") is { Length: > 0 } ? null : TestContext.Current.TestOutputHelper;

    /// <summary>Level, category and text, in order; an exception follows its line.</summary>
    public IReadOnlyList<string> Lines => [.. _lines];

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
    }

    private void Write(string line)
    {
        _lines.Enqueue(line);
        try
        {
            _output?.WriteLine(line);
        }
        catch (InvalidOperationException)
        {
            // The test is over; a server that is still stopping has nobody to tell.
        }
    }

    private sealed class Logger(TestLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log.Write($"{logLevel} {category}: {formatter(state, exception)}{(exception is null ? "" : $"\n{exception}")}");
    }
}
