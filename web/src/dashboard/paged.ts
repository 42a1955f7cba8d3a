import { useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from './api/client';
import { withinTime } from './load';

interface PageOf<T> { readonly data: readonly T[]; readonly total: number }

export const pageSize = 100;

/** Lists are counted up to here; beyond, a page says how many there are at least. */
const mostCounted = 10_000;

export interface Paged<T> {
  readonly total: number | undefined;
  readonly problem: Problem | undefined;
  /** A row, or undefined while its page is on its way; asking for it fetches it. */
  readonly row: (index: number) => T | undefined;
  /** A row that is here already. */
  readonly known: (index: number) => T | undefined;
  readonly reload: () => void;
}

/** A long list, page by page as it comes into sight. */
export function usePaged<T>(ask: (page: number, signal: AbortSignal) => Promise<PageOf<T>>, about: readonly unknown[]): Paged<T> {
  const key = JSON.stringify(about);
  const pages = useRef(new Map<number, readonly T[] | null>());
  const inSight = useRef(new Set<number>());
  /** Pages that are being asked for, and whether again after that. */
  const asked = useRef(new Map<number, boolean>());
  const end = useRef(new AbortController());
  const [state, setState] = useState<{ key: string; total?: number; problem?: Problem }>({ key });

  const load = (page: number) => {
    const { signal } = end.current;
    const isOnItsWay = asked.current.has(page);
    asked.current.set(page, isOnItsWay);
    if (isOnItsWay) return;
    if (!pages.current.has(page)) pages.current.set(page, null);
    const next = () => {
      const again = asked.current.get(page);
      asked.current.delete(page);
      if (again) load(page);
    };
    ask(page, withinTime(signal)).then(
      answer => {
        if (signal.aborted) return;
        pages.current.set(page, answer.data);
        // What is counted so far only is more the further down it was asked.
        setState(before => ({ key, total: before.key === key && answer.total >= mostCounted ? Math.max(answer.total, before.total ?? 0) : answer.total }));
        next();
      },
      (error: unknown) => {
        if (signal.aborted) return;
        // Without rows, it is asked for by the next reload alone: what is drawn meanwhile would ask without a pause.
        pages.current.set(page, pages.current.get(page) ?? []);
        setState(before => ({ ...before, key, problem: error instanceof Problem ? error : new Problem(0, 'UNKNOWN', String(error)) }));
        next();
      });
  };

  useEffect(() => {
    end.current.abort();
    end.current = new AbortController();
    pages.current = new Map();
    inSight.current.clear();
    asked.current = new Map();
    load(1);
    return () => end.current.abort();
  }, [key]);

  return {
    total: state.key === key ? state.total : undefined,
    problem: state.key === key ? state.problem : undefined,
    row: index => {
      const page = Math.floor(index / pageSize) + 1;
      inSight.current.add(page);
      const rows = pages.current.get(page);
      if (rows === undefined) load(page);
      return rows?.[index % pageSize];
    },
    known: index => pages.current.get(Math.floor(index / pageSize) + 1)?.[index % pageSize],
    // What is in sight stays until the answer is there; the rest is fetched anew when it next comes into sight.
    reload: () => {
      const again = new Set([1, ...inSight.current, ...asked.current.keys()]);
      inSight.current.clear();
      for (const page of [...pages.current.keys()]) if (!again.has(page)) pages.current.delete(page);
      for (const page of again) load(page);
    },
  };
}
