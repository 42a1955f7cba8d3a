namespace Apertur.Tests.Support;

/// <summary>
/// A clock that stands still until a test moves it. Timers, and so <c>Task.Delay(…, clock)</c> and timeouts, fire on the thread that calls
/// <see cref="Advance"/>, in the order they are due, each at the instant it was due.
/// </summary>
internal sealed class TestClock(DateTimeOffset start) : TimeProvider
{
    private static readonly TimeSpan _longestWalk = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private readonly List<Timer> _timers = [];
    private DateTimeOffset _now = start;
    private TimeSpan _set;

    public TestClock()
        : this(new DateTimeOffset(2026, 6, 12, 9, 44, 41, 919, TimeSpan.Zero))
    {
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>How many timers wait: a loop that sleeps on this clock is one.</summary>
    public int WaitingTimers
    {
        get
        {
            lock (_lock)
                return _timers.Count;
        }
    }

    /// <summary>How many timers wait for just that long, whatever else comes and goes meanwhile.</summary>
    public int TimersDueIn(TimeSpan time)
    {
        lock (_lock)
            return _timers.Count(timer => timer.Due == _now + time);
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
            return _now + _set;
    }

    public override long GetTimestamp()
    {
        lock (_lock)
            return _now.UtcTicks;
    }

    /// <summary>Sets the time of day forward or back, as an operator or NTP does: no time passes, and no timer fires.</summary>
    public void Set(TimeSpan by)
    {
        lock (_lock)
            _set += by;
    }

    /// <summary>Lets up to a few minutes pass as they would; longer times <see cref="Jump"/>.</summary>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        if (by > _longestWalk)
        {
            Jump(by);
            return;
        }

        var until = new DateTimeOffset(GetTimestamp(), TimeSpan.Zero) + by;
        while (NextDue(until) is { } timer)
            timer.Fire();
    }

    /// <summary>
    /// Moves at once, as when a machine wakes from sleep: every timer that has become due fires once, late. For hours and days, in which a loop
    /// that looks every second would otherwise look for every one of them.
    /// </summary>
    public void Jump(TimeSpan by)
    {
        List<Timer> due;
        lock (_lock)
        {
            _now += by;
            due = [.. _timers.Where(timer => timer.Due <= _now).OrderBy(timer => timer.Due)];
            due.ForEach(timer => timer.Reschedule());
        }

        due.ForEach(timer => timer.Fire());
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        // As the system's timers do: a callback sees the async locals of whoever made the timer, not of the test that moves the clock.
        var context = ExecutionContext.Capture();
        var timer = new Timer(this, context is null ? callback : state => ExecutionContext.Run(context, callback.Invoke, state), state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves to the next instant at which a timer is due, at most to <paramref name="until"/>.</summary>
    private Timer? NextDue(DateTimeOffset until)
    {
        lock (_lock)
        {
            var next = _timers.Where(timer => timer.Due <= until).MinBy(timer => timer.Due);
            var reached = next?.Due ?? until;
            _now = reached > _now ? reached : _now;
            next?.Reschedule();
            return next;
        }
    }

    private sealed class Timer(TestClock clock, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period;

        public DateTimeOffset Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                clock._timers.Remove(this);
                _period = period;
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    Due = clock._now + dueTime;
                    clock._timers.Add(this);
                }
            }

            if (dueTime == TimeSpan.Zero)
                clock.Advance(TimeSpan.Zero);
            return true;
        }

        public void Reschedule()
        {
            if (_period > TimeSpan.Zero)
                Due += _period;
            else
                clock._timers.Remove(this);
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (clock._lock)
                clock._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
