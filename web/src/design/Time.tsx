import { exact, relative } from '../dashboard/format';

/** An instant in the person's zone: how long ago in sight, the second on demand. */
export function Time({ at, whole = false }: { at: string; whole?: boolean }) {
  return whole
    ? <time dateTime={at}>{exact(at)} <span class="quiet">({relative(at)})</span></time>
    : <time dateTime={at} title={exact(at)}>{relative(at)}</time>;
}
