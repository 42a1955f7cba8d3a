import type { Access } from './session';

/** What this tab knows of the session that its page asked for. */
interface Kept extends Access {
  /** The form was sent: the next visit of the page is for other photos. */
  sent: boolean;
}

/** Remembers a session in this tab, so that a reload of the page shows it again. Where nothing can be kept, a reload begins anew. */
export class KeptSession {
  readonly #key: string;

  /** @param name Tells several elements of one page apart. */
  constructor(name: string) {
    this.#key = `apertur-photos ${location.pathname} ${name}`;
  }

  read(): Access | null {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? 'null') as Kept | null;
      const [visit] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
      // Going back, or reloading because sending has failed, is no other visit.
      if (kept !== null && !(kept.sent && visit?.type === 'navigate')) return kept;
    } catch {
      // No storage, or not ours.
    }
    return null;
  }

  write(access: Access, sent = false): void {
    try {
      sessionStorage.setItem(this.#key, JSON.stringify({ ...access, sent } satisfies Kept));
    } catch {
      // As above.
    }
  }

  forget(): void {
    try {
      sessionStorage.removeItem(this.#key);
    } catch {
      // As above.
    }
  }
}
