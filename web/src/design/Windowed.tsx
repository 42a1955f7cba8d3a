import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/**
 * Which of many rows of one height are near the window, so that only those are in the page: ten thousand cost what fifty do.
 * The page itself scrolls.
 */
export function useWindow(rows: number, rowHeight: number) {
  const top = useRef<HTMLElement>(null);
  const [range, setRange] = useState<readonly [number, number]>([0, 40]);
  const look = () => {
    if (!top.current) return;
    const above = -top.current.getBoundingClientRect().top;
    const margin = innerHeight;
    const first = Math.max(0, Math.floor((above - margin) / rowHeight));
    const last = Math.min(rows, Math.ceil((above + innerHeight + margin) / rowHeight));
    // In steps, so that not every pixel draws anew.
    const next = [first - first % 8, Math.min(rows, last + 8 - last % 8)] as const;
    setRange(before => before[0] === next[0] && before[1] === next[1] ? before : next);
  };
  useEffect(() => {
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => { removeEventListener('scroll', look); removeEventListener('resize', look); };
  });
  useLayoutEffect(look, [rows, rowHeight]);
  const [from, to] = [Math.min(range[0], rows), Math.min(Math.max(range[1], 0), rows)];
  return { top, from, to, before: from * rowHeight, after: (rows - to) * rowHeight };
}

/** A table of many rows, as high as those that come first turn out to be: on a phone each is a small card. */
export function WindowedTable({ rows, head, row, columns, label }: {
  /** Undefined while that is not known yet. */
  rows: number | undefined; columns: number; head: ComponentChildren; row: (index: number) => ComponentChildren; label: string;
}) {
  const [height, setHeight] = useState({ ofRow: 48, atWidth: 0 });
  const { top, from, to, before, after } = useWindow(rows ?? 8, height.ofRow);
  // Once for a width of the window: measuring what was just laid out by the last measure would never end.
  useLayoutEffect(() => {
    if (!top.current || rows === undefined || to === from || height.atWidth === innerWidth) return;
    setHeight({ ofRow: (top.current.offsetHeight - before - after) / (to - from), atWidth: innerWidth });
  });
  return (
    <table class="table cards" aria-label={label} aria-rowcount={rows ?? -1}>
      <thead>{head}</thead>
      <tbody ref={top as never}>
        {before > 0 && <tr class="gap" aria-hidden="true"><td colSpan={columns} style={{ height: `${before}px` }} /></tr>}
        {Array.from({ length: to - from }, (_, index) => row(from + index))}
        {after > 0 && <tr class="gap" aria-hidden="true"><td colSpan={columns} style={{ height: `${after}px` }} /></tr>}
      </tbody>
    </table>
  );
}
