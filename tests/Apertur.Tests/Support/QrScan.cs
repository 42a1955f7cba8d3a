using System.Diagnostics;

namespace Apertur.Tests.Support;

/// <summary>Reads QR codes as a phone would, with a program that shares nothing with the one that drew them.</summary>
internal static class QrScan
{
    /// <returns>The text of the only code in the picture; fails the test when there is none.</returns>
    public static async Task<string> ReadAsync(byte[] picture, string extension = ".png")
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var folder = new TempFolder();
        var file = folder.File("code" + extension);
        await File.WriteAllBytesAsync(file, picture, cancellation);
        using var scan = Process.Start(new ProcessStartInfo(Components.Program("zbarimg"), ["--quiet", "--raw", file])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var complaint = scan.StandardError.ReadToEndAsync(cancellation);
        var text = await scan.StandardOutput.ReadToEndAsync(cancellation);
        await scan.WaitForExitAsync(cancellation);
        Assert.True(scan.ExitCode == 0, $"The QR code does not scan. {await complaint}");
        return text.TrimEnd('\n');
    }
}
