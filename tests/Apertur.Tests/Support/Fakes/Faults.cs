using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support.Fakes;

/// <summary>What goes wrong in the world: some of all requests, by dice.</summary>
/// <param name="share">How many of all requests, from 0 to 1.</param>
/// <param name="seed">Of the dice.</param>
/// <param name="hangs">The share of these that get no answer until their sender gives up.</param>
public sealed class Faults(double share, int seed, double hangs = 0)
{
    private readonly Random _dice = new(seed);
    private int _asked;
    private int _done;

    /// <summary>How many requests were hit.</summary>
    public int Done => _done;

    /// <summary>How many were hit of how many.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_done}/{_asked}");

    /// <summary>The next request's fault; null for none. Its second argument goes on as if nothing had happened.</summary>
    public Func<HttpContext, Func<Task>, Task>? Next()
    {
        lock (_dice)
        {
            _asked++;
            if (_dice.NextDouble() >= share)
                return null;

            _done++;
            if (_dice.NextDouble() < hangs)
                return (context, _) => Receiver.GoneAsync(context);
            return _dice.Next(5) switch
            {
                0 => Refusal(429, "", retryAfterSeconds: 1),
                1 => Refusal(500, "planted", null),
                2 => Refusal(503, "", null),
                3 => LostAnswer,
                _ => CutSomewhere(_dice.NextDouble()),
            };
        }
    }

    public static Func<HttpContext, Func<Task>, Task> Refusal(int status, string body, int? retryAfterSeconds) =>
        async (context, _) =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            if (retryAfterSeconds is { } seconds)
                context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json; charset=UTF-8";
            await context.Response.WriteAsync(body);
        };

    public static async Task LostAnswer(HttpContext context, Func<Task> next)
    {
        context.Response.Body = Stream.Null;
        await next();
        context.Abort();
    }

    /// <summary>The body breaks off after so many bytes.</summary>
    public static Func<HttpContext, Func<Task>, Task> Cut(long after) => async (context, next) =>
    {
        context.Request.Body = new CutStream(context.Request.Body, after);
        try
        {
            await next();
        }
        catch (IOException)
        {
            context.Abort();
        }
    };

    private static Func<HttpContext, Func<Task>, Task> CutSomewhere(double where) => (context, next) =>
        Cut((long)((context.Request.ContentLength ?? 0) * where))(context, next);

    /// <summary>A body that ends in an error, as a broken connection does.</summary>
    private sealed class CutStream(Stream inner, long left) : Stream
    {
        private long _left = left;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_left == 0)
                throw new IOException("The connection was cut.");
            var read = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken);
            _left -= read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
