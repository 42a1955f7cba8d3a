let lock: Promise<WakeLockSentinel | null> | null = null;

/** Keeps the screen on, where the browser can: a phone that sleeps stops sending. A page in the background loses it and asks again when it is back. */
export function keepAwake(isOn: boolean): void {
  if (isOn && lock === null && !document.hidden && 'wakeLock' in navigator) {
    lock = navigator.wakeLock.request('screen').catch(() => null);
    void lock.then(sentinel => sentinel?.addEventListener('release', () => { lock = null; }));
  } else if (!isOn && lock !== null) {
    void lock.then(sentinel => sentinel?.release());
    lock = null;
  }
}
