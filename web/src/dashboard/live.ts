import { useEffect, useRef } from 'preact/hooks';
import { api, authorized, ok, type Schemas } from './api/client';

/** Calls at most every ten seconds while the page is looked at, and at once when it is looked at again. */
export function usePolling(look: () => void, seconds = 10): void {
  const latest = useRef(look);
  latest.current = look;
  useEffect(() => {
    const turn = () => { if (document.visibilityState === 'visible') latest.current(); };
    const timer = setInterval(turn, seconds * 1_000);
    document.addEventListener('visibilitychange', turn);
    return () => { clearInterval(timer); document.removeEventListener('visibilitychange', turn); };
  }, [seconds]);
}

/** What became of each photo of a session, as it happens: the server holds each question until there is news. */
export function useSessionFollow(id: string, onNews: (news: Schemas['DeliveryStatus']) => void): void {
  const latest = useRef(onNews);
  latest.current = onNews;
  useEffect(() => {
    const end = new AbortController();
    void (async () => {
      let seen: string | undefined;
      while (!end.signal.aborted) {
        try {
          const news = await ok(api.GET('/api/v1/upload-sessions/{id}/delivery-status', {
            params: { path: { id }, query: seen === undefined ? {} : { pollFrom: seen } }, signal: end.signal,
          }));
          if (end.signal.aborted) return;
          if (news.lastChanged !== seen) latest.current(news);
          seen = news.lastChanged;
        } catch {
          // The connection went; the next answer has all that was missed.
          await new Promise(resolve => setTimeout(resolve, 3_000));
        }
      }
    })();
    return () => end.abort();
  }, [id]);
}

/**
 * Calls soon after something has happened in a project, and while more happens again after so many seconds; also now and then without, for what
 * the stream does not tell. All parts of a page share one stream.
 */
export function useEvents(project: string, onNews: () => void, rest = 0.5): void {
  const latest = useRef(onNews);
  latest.current = onNews;
  usePolling(onNews, 30);
  useEffect(() => {
    let timer: number | undefined;
    let last = -Infinity;
    const call = () => {
      [timer, last] = [undefined, performance.now()];
      latest.current();
    };
    const soon = () => { timer ??= setTimeout(call, Math.max(500, last + rest * 1_000 - performance.now())); };
    const leave = join(project, soon);
    return () => { clearTimeout(timer); leave(); };
  }, [project]);
}

interface Stream { readonly listeners: Set<() => void>; readonly end: AbortController }

const streams = new Map<string, Stream>();

function join(project: string, listener: () => void): () => void {
  let stream = streams.get(project);
  if (stream === undefined) {
    streams.set(project, stream = { listeners: new Set(), end: new AbortController() });
    void follow(project, stream);
  }
  const { listeners, end } = stream;
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    end.abort();
    streams.delete(project);
  };
}

/** Reads the stream, and comes back to it with the last id for as long as somebody listens and may. */
async function follow(project: string, { listeners, end }: Stream): Promise<void> {
  let lastId = '';
  while (!end.signal.aborted) {
    try {
      const headers: Record<string, string> = lastId === '' ? {} : { 'Last-Event-ID': lastId };
      const response = await authorized(new Request(`/api/v1/events?projectId=${project}&env=all`, { headers, signal: end.signal }));
      if (!response.ok || response.body === null) return;
      let left = '';
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const frames = (left + value).split('\n\n');
        left = frames.pop() ?? '';
        for (const frame of frames) {
          const id = /^id: (.*)$/m.exec(frame)?.[1];
          if (id === undefined) continue;
          lastId = id;
          if (!frame.includes('event: connected')) for (const listener of listeners) listener();
        }
      }
    } catch {
      // The connection went: what was missed comes with the next one.
    }
    await new Promise(resolve => setTimeout(resolve, 2_000));
  }
}
