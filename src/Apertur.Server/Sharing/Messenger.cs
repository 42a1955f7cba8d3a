using System.Text;
using System.Text.Json;
using Apertur.Destinations;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Apertur.Server.Sharing;

/// <summary>Sends a text to a person, by the ways that the operator has set up.</summary>
internal sealed partial class Messenger(OutboundHttp http, Settings settings, TimeProvider clock, ILogger<Messenger> log)
{
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(20);

    private readonly SharingSettings _ways = settings.Sharing;

    public bool SendsEmail => _ways.EmailTransport != EmailTransport.None;

    public bool SendsSms => _ways.SmsUrl.Length > 0;

    /// <returns>Whether the mail server has taken it.</returns>
    public Task<bool> SendEmailAsync(MailboxAddress to, string subject, string text, CancellationToken cancellationToken) =>
        TryAsync("email", async limit =>
        {
            using var message = new MimeMessage { Subject = subject, Date = clock.GetUtcNow(), Body = new TextPart("plain") { Text = text } };
            message.From.Add(MailboxAddress.Parse(_ways.EmailFrom));
            message.To.Add(to);
            if (_ways.EmailTransport == EmailTransport.Folder)
            {
                var folder = Directory.CreateDirectory(Path.Combine(settings.DataFolder, "mail"));
                await message.WriteToAsync(Path.Combine(folder.FullName, $"{Guid.CreateVersion7(clock.GetUtcNow())}.eml"), limit);
                return;
            }

            using var smtp = new SmtpClient();
            var security = _ways.SmtpSecurity switch
            {
                SmtpSecurity.Tls => SecureSocketOptions.SslOnConnect,
                SmtpSecurity.StartTls => SecureSocketOptions.StartTls,
                _ => SecureSocketOptions.None,
            };
            await smtp.ConnectAsync(_ways.SmtpHost, _ways.SmtpPort, security, limit);
            if (_ways.SmtpUser.Length > 0)
                await smtp.AuthenticateAsync(_ways.SmtpUser, _ways.SmtpPassword, limit);
            await smtp.SendAsync(message, limit);
            await smtp.DisconnectAsync(true, limit);
        }, cancellationToken);

    /// <returns>Whether the gateway has taken it.</returns>
    public Task<bool> SendSmsAsync(string to, string text, CancellationToken cancellationToken) => TryAsync("sms", async limit =>
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Fill(_ways.SmsUrl, to, text, Uri.EscapeDataString));
        Func<string, string> escape = _ways.SmsContentType.EndsWith("json", StringComparison.Ordinal)
            ? value => JsonEncodedText.Encode(value).ToString()
            : Uri.EscapeDataString;
        request.Content = new StringContent(Fill(_ways.SmsBody, to, text, escape), Encoding.UTF8, _ways.SmsContentType);
        if (_ways.SmsAuthorization.Length > 0)
            request.Headers.TryAddWithoutValidation("Authorization", _ways.SmsAuthorization);
        using var response = await http.SendAsync(request, limit);
        response.EnsureSuccessStatusCode();
    }, cancellationToken);

    private static string Fill(string template, string to, string text, Func<string, string> escape) => template
        .Replace("{to}", escape(to), StringComparison.Ordinal).Replace("{text}", escape(text), StringComparison.Ordinal);

    private async Task<bool> TryAsync(string channel, Func<CancellationToken, Task> send, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(_longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            await send(either.Token);
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Neither whom it was for nor what it said.
            LogFailure(channel, exception.GetType().Name);
            return false;
        }
    }

    [LoggerMessage(EventName = "share.failed", Level = LogLevel.Warning, Message = "share.failed by {Channel}: {Exception}")]
    private partial void LogFailure(string channel, string exception);
}
