using System.Diagnostics;
using System.Globalization;

namespace Apertur.Bench.Ingest;

/// <summary>nginx storing bodies by PUT (dav module), tuned for it and syncing nothing: the practical limit of the machine.</summary>
internal sealed class Nginx : Peer
{
    private readonly string _store;
    private int _stored;

    private Nginx(int port, Process process, string store)
        : base("nginx", port, process) => _store = store;

    /// <summary>Starts it on a port that is free; it cannot tell which one it would get for 0.</summary>
    /// <returns>Null when it is not installed.</returns>
    /// <exception cref="IOException">It does not start.</exception>
    public static Nginx? Start(string folder)
    {
        if (Environment.GetEnvironmentVariable("PATH")!.Split(':').All(path => !File.Exists(Path.Combine(path, "nginx"))))
            return null;
        for (var tries = 0; tries < 5; tries++)
        {
            var nginx = StartOn(FreePort(), folder);
            if (nginx.Listens())
                return nginx;
            nginx.Dispose();
        }

        throw new IOException("nginx does not start; what it said is above.");
    }

    private static Nginx StartOn(int port, string folder)
    {
        var store = Path.Combine(folder, "nginx");
        Directory.CreateDirectory(Path.Combine(store, "files"));
        var configuration = Path.Combine(store, "nginx.conf");
        // 128 kB body buffers were the fastest of 16 kB to 4 MB; the temporary file is on the same disk, so a PUT ends in a rename.
        File.WriteAllText(configuration, $$"""
            daemon off;
            worker_processes {{Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)}};
            pid {{store}}/nginx.pid;
            error_log stderr error;
            {{(Environment.UserName == "root" ? "user root;" : "")}}
            events { worker_connections 1024; }
            http {
                access_log off;
                keepalive_requests 1000000;
                client_max_body_size 100m;
                client_body_buffer_size 128k;
                client_body_temp_path {{store}}/body;
                server {
                    listen 127.0.0.1:{{port.ToString(CultureInfo.InvariantCulture)}};
                    location / { root {{store}}/files; dav_methods PUT; }
                }
            }
            """);
        return new Nginx(port, Start("nginx", null, _ => { }, "-p", store, "-c", configuration), store);
    }

    public override IList<ArraySegment<byte>> Request(int client, byte[] image)
    {
        var name = Interlocked.Increment(ref _stored);
        return [Bytes($"PUT /{name}.jpg HTTP/1.1\r\nHost: localhost\r\nContent-Length: {image.Length}\r\n\r\n"), image];
    }

    public override void Clear()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_store, "files")))
            File.Delete(file);
    }
}
