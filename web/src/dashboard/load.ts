import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from './api/client';

export interface Loaded<T> {
  /** Undefined until the first answer; what was there stays while it is asked for again. */
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  readonly reload: () => void;
}

/** Asks when the page appears, and again when one of `about` changes or `reload` is called; late answers to earlier questions are dropped. */
export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, about: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ about: string; data?: T; problem?: Problem }>({ about: '' });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify(about);
  useEffect(() => {
    const end = new AbortController();
    ask(end.signal).then(
      data => { if (!end.signal.aborted) setState({ about: key, data }); },
      (error: unknown) => {
        if (end.signal.aborted) return;
        const problem = error instanceof Problem ? error : new Problem(0, 'UNKNOWN', String(error));
        setState(before => ({ ...(before.about === key ? before : {}), about: key, problem }));
      });
    return () => end.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn(turn => turn + 1), []);
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
