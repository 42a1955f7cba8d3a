namespace Apertur.Server.Pictures;

/// <summary>
/// How many thumbnails are made at once: one lane each, and of one project one lane less than there are, so that no project keeps the
/// others waiting, whatever its pictures cost. Nobody is in a lane for an image that another lane is taken for. Who waits longest comes
/// first, of those who may.
/// </summary>
internal sealed class PictureLanes(int lanes)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, int> _projects = [];
    private readonly HashSet<Guid> _images = [];
    private readonly LinkedList<Waiter> _waiting = new();
    private readonly int _perProject = Math.Max(1, lanes - 1);
    private int _free = lanes;

    /// <summary>Waits for a lane. Disposing gives it back.</summary>
    public async Task<IDisposable> EnterAsync(Guid project, Guid image, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(project, image);
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            node = _waiting.AddLast(waiter);
            Admit();
        }

        await using var _ = cancellationToken.Register(() =>
        {
            lock (_lock)
            {
                if (waiter.Admitted.TrySetCanceled(cancellationToken))
                    _waiting.Remove(node);
            }
        });
        await waiter.Admitted.Task;
        return new Lane(this, waiter);
    }

    private void Admit()
    {
        for (var node = _waiting.First; node is not null && _free > 0;)
        {
            var next = node.Next;
            var waiter = node.Value;
            var taken = _projects.GetValueOrDefault(waiter.Project);
            if (taken < _perProject && _images.Add(waiter.Image))
            {
                _waiting.Remove(node);
                _projects[waiter.Project] = taken + 1;
                _free--;
                waiter.Admitted.SetResult();
            }

            node = next;
        }
    }

    private void Leave(Waiter waiter)
    {
        lock (_lock)
        {
            _free++;
            _images.Remove(waiter.Image);
            if (--_projects[waiter.Project] == 0)
                _projects.Remove(waiter.Project);
            Admit();
        }
    }

    private sealed class Waiter(Guid project, Guid image)
    {
        public Guid Project => project;

        public Guid Image => image;

        public TaskCompletionSource Admitted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Lane(PictureLanes all, Waiter waiter) : IDisposable
    {
        public void Dispose() => all.Leave(waiter);
    }
}
