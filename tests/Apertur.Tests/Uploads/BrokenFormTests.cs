using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Uploads;

/// <summary>Forms that browsers send without a photo, or without their end.</summary>
public sealed class BrokenFormTests
{
    private const string Empty = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n";

    [Theory, AllDatabases]
    public async Task Field_in_which_nothing_was_chosen_is_no_photo(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var photo = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" + Text(Photos.Png()) + "\r\n";

        // Nor is what has another name.
        var other = "--B\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\ntext\r\n";
        (await SendAsync(app, session, Empty + other + photo + Empty + "--B--\r\n")).Expect(HttpStatusCode.Created);
        var none = (await SendAsync(app, session, Empty + "--B--\r\n")).Expect(HttpStatusCode.BadRequest);

        Assert.Contains("missing", (string)none.Json["message"]!, StringComparison.Ordinal);
        // A photo without a name is one.
        (await SendAsync(app, session, photo.Replace("a.png", "", StringComparison.Ordinal) + "--B--\r\n")).Expect(HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\nhalf of it")]
    [InlineData("--B\r\nContent-Disposition: form-da")]
    public async Task Form_that_broke_off_is_told_from_one_that_is_wrong(string body)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        var broken = (await SendAsync(app, session, body)).Expect(HttpStatusCode.BadRequest);
        Assert.Equal("INCOMPLETE_BODY", (string)broken.Json["code"]!);

        var wrong = (await SendAsync(app, session, "something else")).Expect(HttpStatusCode.BadRequest);
        Assert.Equal("VALIDATION_ERROR", (string)wrong.Json["code"]!);
    }

    [Theory]
    [InlineData("secret ")]
    [InlineData(" secret")]
    [InlineData("sec\tret")]
    [InlineData("sec\u0001ret")]
    [InlineData("secret\u00A0")]
    [InlineData("half of \uFFFD")] // how senders encode half a character
    public async Task Password_that_cannot_be_sent_is_refused_when_it_is_set(string password)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var request = new JsonObject { ["password"] = password };

        var refused = (await app.Client.PostAsync("upload-sessions", request.DeepClone())).Expect(HttpStatusCode.BadRequest);
        Assert.Equal("password", (string)refused.Json["errors"]![0]!["field"]!);
        var session = await app.Client.CreateSessionAsync();
        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", request)).Expect(HttpStatusCode.BadRequest);
    }

    private static async Task<Answer> SendAsync(AperturApp app, string session, string body)
    {
        using var form = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
        form.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=B");
        return await app.Client.SendAsync(HttpMethod.Post, $"upload/{session}/images", form);
    }

    private static string Text(byte[] bytes) => Encoding.Latin1.GetString(bytes);
}
