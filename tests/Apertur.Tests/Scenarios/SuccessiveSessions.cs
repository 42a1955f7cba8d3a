namespace Apertur.Tests.Scenarios;

/// <summary>A session, and another when that is nearly full.</summary>
/// <param name="create">Makes one with room for <see cref="Images"/>.</param>
internal sealed class SuccessiveSessions(Func<Task<string>> create) : IDisposable
{
    /// <summary>How many photos one session is used for; more may have been given it and be on their way.</summary>
    public const int Images = 400;

    private readonly SemaphoreSlim _one = new(1);
    private string _session = "";
    private int _given = Images;

    public async Task<string> NextAsync()
    {
        await _one.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (++_given > Images)
                (_session, _given) = (await create(), 1);
            return _session;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();
}
