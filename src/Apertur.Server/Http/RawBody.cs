using System.Buffers;

namespace Apertur.Server.Http;

/// <summary>The bytes of a body that is short enough to be held in memory.</summary>
internal static class RawBody
{
    // A logo of 200 kB in base64, and what stands around it.
    private const int MaxBytes = 320 * 1024;

    /// <summary>Reads the body to its end.</summary>
    /// <exception cref="ApiErrorException">413: it is longer than any JSON this server takes.</exception>
    public static async Task<byte[]> ReadAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > MaxBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                throw ApiErrors.BodyTooLarge.ToException();
            }

            if (read.IsCompleted)
            {
                var bytes = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return bytes;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
