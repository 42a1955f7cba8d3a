using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Fetching;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support.Fakes;

/// <summary>
/// A stand-in for the providers whose pickers people choose photos in, at one loopback address. Paths begin with the host that they have in the
/// world. Each script keeps to what its provider has published of it, and what it is given wrongly it does not take.
/// </summary>
internal sealed class FakePickers : IAsyncDisposable
{
    public const string Token = "ya29.token-of-ann";
    public const string ClientId = "123-abc.apps.example.com";
    public const string ApiKey = "AIza-key";
    public const string AppId = "4711";
    public const string Secret = "secret-of-this-server";
    public const string AppKey = "dropbox-key";

    private readonly Receiver _receiver;
    private readonly ConcurrentQueue<(string Path, string? Authorization)> _asked = new();
    private string _challenge = "";
    private int _looks;

    private FakePickers(Receiver receiver)
    {
        _receiver = receiver;
        receiver.Otherwise = HandleAsync;
    }

    public string Root => new Uri(_receiver.Url).GetLeftPart(UriPartial.Authority);

    /// <summary>For <see cref="AperturApp.StartAsync"/>.</summary>
    public static Dictionary<string, string?> Settings => new()
    {
        ["Sources:GoogleDrive:ClientId"] = ClientId,
        ["Sources:GoogleDrive:ApiKey"] = ApiKey,
        ["Sources:GoogleDrive:AppId"] = AppId,
        ["Sources:GooglePhotos:ClientId"] = ClientId,
        ["Sources:Dropbox:AppKey"] = AppKey,
        ["Sources:OneDrive:ClientId"] = ClientId,
        ["Sources:Box:ClientId"] = ClientId,
        ["Sources:Box:ClientSecret"] = Secret,
    };

    /// <summary>What was asked for of photos, with what was shown for it.</summary>
    public IReadOnlyList<(string Path, string? Authorization)> Asked => [.. _asked];

    /// <summary>Where photos are handed out that have left this host; null for here.</summary>
    public string? HandsOutAt { get; set; }

    /// <summary>Answers in place of all else.</summary>
    public Func<HttpContext, Task>? Instead { get; set; }

    /// <summary>Photos by the end of their path.</summary>
    public Dictionary<string, byte[]> Files { get; } = new() { ["roof.jpg"] = Photos.Jpeg(3000, seed: 1), ["door.jpg"] = Photos.Jpeg(3000, seed: 2) };

    public static async Task<FakePickers> StartAsync() => new(await Receiver.StartAsync());

    /// <summary>A server that takes this for the real ones.</summary>
    public Task<AperturApp> ServeAsync(DatabaseKind database = DatabaseKind.Sqlite) => AperturApp.StartAsync(
        database, Settings, services => services.AddSingleton(provider => new CloudSources(provider.GetRequiredService<Settings>(), Here)));

    /// <summary>An address of a provider, as it is here.</summary>
    public string Here(string address)
    {
        var rest = address["https://".Length..];
        return rest.Contains('/', StringComparison.Ordinal) ? $"{Root}/{rest}" : Root;
    }

    public ValueTask DisposeAsync() => _receiver.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        if (Instead is { } instead)
        {
            await instead(context);
            return;
        }

        var (request, response) = (context.Request, context.Response);
        var path = request.Path.Value!;
        response.Headers.AccessControlAllowOrigin = "*";
        response.Headers.AccessControlAllowHeaders = "Authorization, Content-Type";
        response.Headers.AccessControlAllowMethods = "GET, POST, DELETE";
        if (request.Method == "OPTIONS")
            return;
        switch (path)
        {
            case "/www.dropbox.com/static/api/2/dropins.js":
                await ScriptAsync(response, DropboxScript);
                break;
            case "/www.dropbox.com/chooser" when request.Query["app_key"] == AppKey && request.Query["link_type"] == "direct":
                await PageAsync(response, $$"""
                    const file = name => ({ id: 'id:1', name, link: `{{Root}}/dl.dropboxusercontent.com/1/view/abc/${name}`, bytes: 3000, isDir: false });
                    button('Choose', () => opener.postMessage([file('roof.jpg'), file('door.jpg')], '*'));
                    button('Cancel', () => opener.postMessage(null, '*'));
                    """);
                break;
            case "/accounts.google.com/gsi/client":
                await ScriptAsync(response, IdentityScript);
                break;
            case "/accounts.google.com/o/oauth2/auth" when request.Query["client_id"] == ClientId:
                await PageAsync(response, $$"""
                    button('Allow', () => opener.postMessage({ access_token: '{{Token}}', expires_in: 3599, token_type: 'Bearer', scope: new URL(location).searchParams.get('scope') }, '*'));
                    button('Deny', () => opener.postMessage({ error: 'access_denied' }, '*'));
                    """);
                break;
            case "/apis.google.com/js/api.js":
                await ScriptAsync(response, PickerScript);
                break;
            case "/docs.google.com/picker" when request.Query["key"] == ApiKey && request.Query["app"] == AppId && request.Query["token"] == Token:
                await PageAsync(response, """
                    button('Select', () => parent.postMessage({ action: 'picked', docs: [{ id: 'roof.jpg', name: 'The roof.jpg' }, { id: 'door.jpg', name: 'door.jpg' }] }, '*'));
                    button('Close', () => parent.postMessage({ action: 'cancel' }, '*'));
                    """);
                break;
            case "/photospicker.googleapis.com/v1/sessions" or "/photospicker.googleapis.com/v1/sessions/s1" or "/photospicker.googleapis.com/v1/mediaItems"
                when request.Headers.Authorization == $"Bearer {Token}":
                await response.WriteAsJsonAsync(PhotosApi(request));
                break;
            case "/photos.google.com/picker/s1/autoclose":
                await PageAsync(response, "button('Done', () => fetch('/photos.google.com/done', { method: 'POST' }).then(() => window.close()));");
                break;
            case "/photos.google.com/done":
                _looks = 1;
                break;
            case "/login.microsoftonline.com/consumers/oauth2/v2.0/authorize"
                when request.Query["client_id"] == ClientId && request.Query["response_type"] == "code" && request.Query["code_challenge_method"] == "S256":
                _challenge = request.Query["code_challenge"].ToString();
                // The window that opened this one is lost by it.
                response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
                var back = $"{request.Query["redirect_uri"]}#";
                await PageAsync(response, $$"""
                    button('Sign in', () => location = '{{back}}code=c1&state={{request.Query["state"]}}');
                    button('No', () => location = '{{back}}error=access_denied&state={{request.Query["state"]}}');
                    """);
                break;
            case "/login.microsoftonline.com/consumers/oauth2/v2.0/token":
                var form = await request.ReadFormAsync();
                var isRight = form["code"] == "c1" && WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString()))) == _challenge;
                response.StatusCode = isRight ? 200 : 400;
                await response.WriteAsJsonAsync(isRight ? new JsonObject { ["access_token"] = Token, ["token_type"] = "Bearer" } : new JsonObject { ["error"] = "invalid_grant" });
                break;
            case "/onedrive.live.com/picker" when (await request.ReadFormAsync())["access_token"] == Token:
                await PageAsync(response, OneDriveScript.Replace("OPTIONS", request.Query["filePicker"], StringComparison.Ordinal).Replace("ROOT", Root, StringComparison.Ordinal));
                break;
            case "/account.box.com/api/oauth2/authorize" when request.Query["client_id"] == ClientId && request.Query["response_type"] == "code":
                await PageAsync(response, $$"""
                    button('Grant', () => location = '{{request.Query["redirect_uri"]}}?code=c1&state={{request.Query["state"]}}');
                    button('Deny', () => location = '{{request.Query["redirect_uri"]}}?error=access_denied&state={{request.Query["state"]}}');
                    """);
                break;
            case "/api.box.com/oauth2/token":
                var grant = await request.ReadFormAsync();
                var isGranted = grant["grant_type"] == "authorization_code" && grant["code"] == "c1" && grant["client_id"] == ClientId && grant["client_secret"] == Secret;
                response.StatusCode = isGranted ? 200 : 400;
                await response.WriteAsJsonAsync(isGranted
                    ? new JsonObject { ["access_token"] = Token, ["refresh_token"] = "to-renew", ["expires_in"] = 3600, ["token_type"] = "bearer" }
                    : new JsonObject { ["error"] = "invalid_grant" });
                break;
            case "/cdn01.boxcdn.net/platform/elements/23.0.0/en-US/picker.js":
                await ScriptAsync(response, BoxScript);
                break;
            case "/cdn01.boxcdn.net/platform/elements/23.0.0/en-US/picker.css":
                response.ContentType = "text/css";
                break;
            default:
                await GiveAsync(context, path);
                break;
        }
    }

    private JsonObject PhotosApi(HttpRequest request)
    {
        if (request.Method == "DELETE")
            return [];
        if (!request.Path.Value!.EndsWith("mediaItems", StringComparison.Ordinal))
        {
            return new JsonObject
            {
                ["id"] = "s1",
                ["pickerUri"] = $"{Root}/photos.google.com/picker/s1",
                ["mediaItemsSet"] = _looks > 0,
                ["pollingConfig"] = new JsonObject { ["pollInterval"] = "0.1s", ["timeoutIn"] = "60s" },
            };
        }

        var isFirst = request.Query["pageToken"].Count == 0;
        var name = isFirst ? "roof.jpg" : "door.jpg";
        var page = new JsonObject
        {
            ["mediaItems"] = new JsonArray(new JsonObject
            {
                ["id"] = name,
                ["type"] = "PHOTO",
                ["mediaFile"] = new JsonObject
                {
                    ["baseUrl"] = $"{Root}/lh3.googleusercontent.com/ppa/{name}",
                    ["mimeType"] = "image/jpeg",
                    ["filename"] = name,
                },
            }),
        };
        if (isFirst)
            page["nextPageToken"] = "p2";
        return page;
    }

    /// <summary>A photo, where Dropbox knows who asks by the address alone, and the others by the token.</summary>
    private Task GiveAsync(HttpContext context, string path)
    {
        if (path == "/favicon.ico")
            return Task.CompletedTask;
        var authorization = (string?)context.Request.Headers.Authorization;
        _asked.Enqueue((path, authorization));
        var name = Files.Keys.FirstOrDefault(each => path.Contains(each, StringComparison.Ordinal));
        var host = path.Split('/')[1];
        if (name is null || (host != "dl.dropboxusercontent.com" && authorization != $"Bearer {Token}"))
        {
            context.Response.StatusCode = name is null ? 404 : 401;
            return Task.CompletedTask;
        }

        if (host == "api.onedrive.com")
        {
            context.Response.Redirect($"{HandsOutAt}/{name}");
            return Task.CompletedTask;
        }

        context.Response.ContentLength = Files[name].Length;
        return context.Response.Body.WriteAsync(Files[name]).AsTask();
    }

    private Task ScriptAsync(HttpResponse response, string script)
    {
        response.ContentType = "text/javascript";
        return response.WriteAsync(script.Replace("ROOT", Root, StringComparison.Ordinal).Replace("TOKEN", Token, StringComparison.Ordinal));
    }

    private static Task PageAsync(HttpResponse response, string script)
    {
        response.ContentType = "text/html";
        return response.WriteAsync(string.Create(CultureInfo.InvariantCulture, $$"""
            <!doctype html><title>Provider</title><body><script>
            const button = (name, press) => { const made = document.createElement('button'); made.textContent = name; made.onclick = press; document.body.append(made); };
            {{script}}
            </script>
            """));
    }

    /// <summary>https://www.dropbox.com/developers/chooser: the key is in the script's own element, and the chooser a window.</summary>
    private const string DropboxScript = """
        (() => {
          const key = document.getElementById('dropboxjs').getAttribute('data-app-key');
          window.Dropbox = {
            choose({ success, cancel, linkType = 'preview' }) {
              const opened = window.open(`ROOT/www.dropbox.com/chooser?app_key=${key}&link_type=${linkType}&origin=${encodeURIComponent(location.origin)}`, 'dropbox', 'width=640,height=552');
              window.addEventListener('message', event => {
                if (event.source !== opened) return;
                opened.close();
                if (event.data === null) cancel();
                else success(event.data);
              });
            },
          };
        })();
        """;

    /// <summary>https://developers.google.com/identity/oauth2/web/reference/js-reference</summary>
    private const string IdentityScript = """
        window.google = window.google || {};
        google.accounts = { oauth2: { initTokenClient: ({ client_id, scope, callback, error_callback }) => ({
          requestAccessToken() {
            const opened = window.open(`ROOT/accounts.google.com/o/oauth2/auth?${new URLSearchParams({ client_id, scope })}`, 'google', 'width=500,height=600');
            if (!opened) { error_callback({ type: 'popup_failed_to_open' }); return; }
            window.addEventListener('message', function hear(event) {
              if (event.source !== opened) return;
              window.removeEventListener('message', hear);
              opened.close();
              callback(event.data);
            });
          },
        }) } };
        """;

    /// <summary>https://developers.google.com/workspace/drive/picker/reference</summary>
    private const string PickerScript = """
        window.gapi = { load(names, { callback }) {
          if (names !== 'picker') throw new Error(names);
          window.google = window.google || {};
          const given = new URLSearchParams();
          let tell, shown = [];
          class PickerBuilder {
            addView(view) { shown.push(view); return this; }
            enableFeature(feature) { given.append('feature', feature); return this; }
            setAppId(id) { given.set('app', id); return this; }
            setDeveloperKey(key) { given.set('key', key); return this; }
            setOAuthToken(token) { given.set('token', token); return this; }
            setLocale(language) { given.set('hl', language); return this; }
            setCallback(callback) { tell = callback; return this; }
            build() {
              return { setVisible() {
                const frame = document.createElement('iframe');
                frame.src = `ROOT/docs.google.com/picker?${given}`;
                frame.onload = () => tell({ action: 'loaded' });
                document.body.append(frame);
                window.addEventListener('message', event => { if (event.source === frame.contentWindow) tell(event.data); });
              } };
            }
          }
          google.picker = { Action: { PICKED: 'picked', CANCEL: 'cancel' }, Feature: { MULTISELECT_ENABLED: 'multiselectEnabled' }, ViewId: { DOCS_IMAGES: 'docs-images' }, PickerBuilder };
          setTimeout(callback);
        } };
        """;

    /// <summary>https://developer.box.com/guides/embed/ui-elements/picker: it stands in the page itself.</summary>
    private const string BoxScript = """
        window.Box = { FilePicker: class {
          listeners = {};
          addListener(name, listener) { this.listeners[name] = listener; }
          show(folder, token, { container, extensions }) {
            this.place = document.querySelector(container);
            const button = (name, press) => { const made = document.createElement('button'); made.textContent = name; made.onclick = press; this.place.append(made); };
            if (folder !== '0' || token !== 'TOKEN' || !extensions.includes('jpg')) throw new Error('Box');
            button('Choose', () => this.listeners.choose(['roof.jpg', 'door.jpg'].map(name => ({ id: name, type: 'file', name }))));
            button('Cancel', () => this.listeners.cancel());
          }
          hide() { this.place.replaceChildren(); }
        } };
        """;

    /// <summary>https://learn.microsoft.com/onedrive/developer/controls/file-pickers: it wants its port opened, and every command acknowledged.</summary>
    private const string OneDriveScript = """
        const options = OPTIONS;
        const { port1, port2 } = new MessageChannel();
        let acknowledged = false, token;
        const command = (id, data) => { acknowledged = false; port1.postMessage({ type: 'command', id, data }); };
        const item = (id, more) => ({ id, parentReference: { driveId: 'b!1' }, '@sharePoint.endpoint': 'ROOT/api.onedrive.com/v1.0', ...more });
        port1.onmessage = ({ data }) => {
          if (data.type === 'activate') {
            port1.postMessage({ type: 'notification', data: { notification: 'page-loaded' } });
            command('1', { command: 'authenticate', resource: 'https://onedrive.live.com', type: 'SharePoint' });
          }
          if (data.type === 'acknowledge') acknowledged = true;
          if (data.type === 'result' && data.id === '1' && acknowledged && data.data.token) {
            button('Pick', () => command('2', { command: 'pick', items: [item('roof.jpg', { name: 'roof.jpg' }), item('door.jpg', { name: 'door.jpg' })] }));
            button('Close', () => command('3', { command: 'close' }));
          }
        };
        if (options.sdk === '8.0' && options.authentication) parent.postMessage({ type: 'initialize', channelId: options.messaging.channelId }, options.messaging.origin, [port2]);
        """;
}
