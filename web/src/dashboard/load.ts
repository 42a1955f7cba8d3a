import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from './api/client';

export interface Loaded<T> {
  /** Undefined until the first answer; what was there stays while it is asked for again. */
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  readonly reload: () => void;
}

/** The same, ended too when an answer takes longer than a person waits: reloads wait for the one before. */
export function withinTime(signal: AbortSignal): AbortSignal {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(new Problem(0, 'OFFLINE', 'The server does not answer.')), 60_000);
  signal.addEventListener('abort', () => { clearTimeout(timer); end.abort(); });
  return end.signal;
}

/**
 * Asks when the page appears, and again when one of `about` changes or `reload` is called. A reload waits for the answer that is on its way: on a
 * slow line none would ever arrive if each made an end of the one before.
 */
export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, about: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ about: string; data?: T; problem?: Problem }>({ about: '' });
  const key = JSON.stringify(about);
  const latest = useRef(ask);
  latest.current = ask;
  const start = useRef(() => {});
  useEffect(() => {
    const end = new AbortController();
    let [running, again] = [false, false];
    const run = async () => {
      again = running;
      if (running) return;
      running = true;
      do {
        again = false;
        try {
          const data = await latest.current(withinTime(end.signal));
          if (!end.signal.aborted) setState({ about: key, data });
        } catch (error) {
          if (end.signal.aborted) return;
          const problem = error instanceof Problem ? error : new Problem(0, 'UNKNOWN', String(error));
          setState(before => ({ ...(before.about === key ? before : {}), about: key, problem }));
        }
      } while (again && !end.signal.aborted);
      running = false;
    };
    start.current = () => void run();
    start.current();
    return () => end.abort();
  }, [key]);
  const reload = useCallback(() => start.current(), []);
  return { data: state.about === key ? state.data : undefined, problem: state.about === key ? state.problem : undefined, reload };
}

export interface Act {
  readonly busy: boolean;
  readonly problem: Problem | undefined;
  readonly run: (work: () => Promise<void>) => Promise<void>;
}

/** One thing that a person sets going: once at a time, and with its refusal kept to be shown beside the button. */
export function useAct(): Act {
  const [state, setState] = useState<{ busy: boolean; problem?: Problem }>({ busy: false });
  const running = useRef(false);
  const run = useCallback(async (work: () => Promise<void>) => {
    if (running.current) return;
    running.current = true;
    setState({ busy: true });
    try {
      await work();
      setState({ busy: false });
    } catch (error) {
      setState({ busy: false, problem: error instanceof Problem ? error : new Problem(0, 'UNKNOWN', String(error)) });
    } finally {
      running.current = false;
    }
  }, []);
  return { busy: state.busy, problem: state.problem, run };
}
