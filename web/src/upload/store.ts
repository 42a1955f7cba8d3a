import type { Answers, Parcel, Received } from './attempt';

/** A photo as it is kept in the browser, so that another page on the same link can go on with it. */
export interface Kept extends Omit<Parcel, 'file'> {
  session: string;
  /** Until when the session lives, unix milliseconds. */
  expires: number;
  added: number;
  /** Null once it is sent: then only the picture stays. */
  file: Blob | null;
  /** Of the photo itself, hex; null where the browser cannot tell. */
  sha256: string | null;
  picture: Blob | null;
  received: Received | null;
  /** The caption that went along when it first set out, or that the server was given since; null before. */
  told: string | null;
}

/** What was typed of what a session asks for, kept beside its photos and as long. */
export interface KeptAnswers {
  answers: Answers;
  /** Whether photos may be sent with it. */
  given: boolean;
}

/** The photos of this browser, by session. Where the browser keeps nothing, as some do in private windows, all of this does nothing. */
export class Store {
  private readonly db: IDBDatabase | null;
  private readonly session: string;

  private constructor(db: IDBDatabase | null, session: string) {
    this.db = db;
    this.session = session;
  }

  static open(session: string): Promise<Store> {
    return new Promise(resolve => {
      try {
        const opening = indexedDB.open('apertur', 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore('photos', { keyPath: 'key' }).createIndex('session', 'session');
        opening.onsuccess = () => resolve(new Store(opening.result, session));
        opening.onerror = opening.onblocked = () => resolve(new Store(null, session));
      } catch {
        resolve(new Store(null, session));
      }
    });
  }

  /** Whether photos outlive the page. */
  get keeps(): boolean {
    return this.db !== null;
  }

  /** What is kept of this session, oldest first. What others have left is forgotten. */
  async all(): Promise<Kept[]> {
    const all = await this.ask<Kept[]>('readonly', photos => photos.getAll()) ?? [];
    for (const kept of all) {
      if (kept.expires < Date.now() && kept.session !== this.session && kept.key !== this.answersKey) void this.remove(kept.key);
    }
    return all.filter(kept => kept.session === this.session).sort((a, b) => a.added - b.added);
  }

  get(key: string): Promise<Kept | undefined> {
    return this.ask<Kept>('readonly', photos => photos.get(key));
  }

  async put(kept: Kept): Promise<void> {
    await this.ask('readwrite', photos => photos.put(kept));
  }

  async remove(key: string): Promise<void> {
    await this.ask('readwrite', photos => photos.delete(key));
  }

  /** Not under the session's own id, so that it is not among the photos. */
  private get answersKey(): string {
    return `answers:${this.session}`;
  }

  answers(): Promise<KeptAnswers | undefined> {
    return this.ask<KeptAnswers>('readonly', photos => photos.get(this.answersKey));
  }

  async keepAnswers(answers: KeptAnswers, expires: number): Promise<void> {
    await this.ask('readwrite', photos => photos.put({ ...answers, key: this.answersKey, session: this.answersKey, expires }));
  }

  /** Never rejects: what cannot be kept is sent all the same, as long as the page is open. */
  private ask<T>(mode: IDBTransactionMode, what: (photos: IDBObjectStore) => IDBRequest): Promise<T | undefined> {
    return new Promise(resolve => {
      if (this.db === null) {
        resolve(undefined);
        return;
      }
      try {
        const transaction = this.db.transaction('photos', mode);
        const asked = what(transaction.objectStore('photos'));
        transaction.oncomplete = () => resolve(asked.result as T);
        transaction.onerror = transaction.onabort = () => resolve(undefined);
      } catch {
        resolve(undefined);
      }
    });
  }
}

/** Who this browser is to the session: made up once, known to nobody else. */
export function visitorOf(session: string): string {
  const made = newId();
  try {
    const name = `apertur:visitor:${session}`;
    const known = localStorage.getItem(name);
    if (known !== null) return known;
    localStorage.setItem(name, made);
  } catch {
    // Not where cookies are forbidden, as in some frames: then each page is somebody else.
  }
  return made;
}

/** A version 4 UUID. `crypto.randomUUID` exists on HTTPS and loopback only; a link opened over plain HTTP in a local network needs one too. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** SHA-256 in hex; null where the browser offers no cryptography, which is over plain HTTP, or cannot read the file. */
export async function sha256(blob: Blob): Promise<string | null> {
  try {
    const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
    return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
  } catch {
    return null;
  }
}

/**
 * Runs work on one photo in one page at a time. Where browsers have no locks (iOS before 15.4), the server's idempotency key alone sees to it
 * that a photo which two pages send is one.
 */
export async function alone<T>(key: string, work: () => Promise<T>): Promise<T> {
  let began = false;
  try {
    return await (navigator.locks.request(`apertur:${key}`, () => {
      began = true;
      return work();
    }) as Promise<T>);
  } catch (problem) {
    // In a frame of another site, browsers that keep nothing there refuse locks too.
    if (began) throw problem;
    return work();
  }
}
