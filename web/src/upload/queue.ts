import { attempt, type Outcome, type Parcel, type Received, type Refusal } from './attempt';
import type { Seal } from './seal';

export type State = 'waiting' | 'sending' | 'interrupted' | 'busy' | 'gaveUp' | 'sent' | 'refused';

export interface Photo extends Parcel {
  state: State;
  /** 0–1 while sending. */
  progress: number;
  attempts: number;
  /** Pending automatic retry. */
  timer: number;
}

export interface QueueEvents {
  changed(photo: Photo): void;
  received(photo: Photo, data: Received): void;
  refused(photo: Photo, refusal: Refusal): void;
  passwordNeeded(refusal: Refusal): void;
}

const atOnce = 3;
const automaticAttempts = 8;
const longestWaitMs = 30_000;

/** Sends photos, three at a time, and again after interruptions, until each is received, refused or given up for now. */
export class UploadQueue {
  password: string | null = null;
  readonly #photos: Photo[] = [];
  readonly #url: string;
  readonly #events: QueueEvents;
  readonly #seal: Seal | null;
  #paused = false;

  /** With a seal, no photo leaves without it. */
  constructor(url: string, seal: Seal | null, events: QueueEvents) {
    this.#url = url;
    this.#seal = seal;
    this.#events = events;
    // A network that comes back, or a page that comes to the front again, need not wait for a timer.
    window.addEventListener('online', () => this.retryAll());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.retryAll();
    });
  }

  add(parcel: Omit<Parcel, 'key'>): Photo {
    const photo: Photo = { ...parcel, key: randomKey(), state: 'waiting', progress: 0, attempts: 0, timer: 0 };
    this.#photos.push(photo);
    return photo;
  }

  get unfinished(): boolean {
    return this.#photos.some(photo => photo.state !== 'sent' && photo.state !== 'refused' && photo.state !== 'gaveUp');
  }

  count(state: State): number {
    return this.#photos.filter(photo => photo.state === state).length;
  }

  /** Photos that have been or may still be accepted. */
  get taken(): number {
    return this.#photos.length - this.count('refused');
  }

  retry(photo: Photo): void {
    photo.attempts = 0;
    this.#wait(photo);
    this.run();
  }

  retryAll(): void {
    for (const photo of this.#photos) {
      if (photo.state === 'gaveUp') photo.attempts = 0;
      if (photo.state === 'interrupted' || photo.state === 'gaveUp') this.#wait(photo);
    }
    this.run();
  }

  resume(password: string): void {
    this.password = password;
    this.#paused = false;
    this.run();
  }

  /** Refuses what has not been sent yet, for the reason that ended the session. What is on its way may still arrive. */
  close(refusal: Refusal): void {
    for (const photo of this.#photos) {
      if (photo.state === 'sent' || photo.state === 'refused' || photo.state === 'sending') continue;
      clearTimeout(photo.timer);
      this.#refuse(photo, refusal);
    }
  }

  run(): void {
    for (const photo of this.#photos) {
      if (this.#paused || this.count('sending') >= atOnce) return;
      if (photo.state === 'waiting') void this.#send(photo);
    }
  }

  async #send(photo: Photo): Promise<void> {
    photo.attempts++;
    photo.progress = 0;
    this.#move(photo, 'sending');
    const outcome = await this.#try(photo);
    switch (outcome.kind) {
      case 'received':
        delete photo.sealed;
        this.#move(photo, 'sent');
        this.#events.received(photo, outcome.data);
        break;
      case 'refused':
        if (outcome.status === 401) {
          this.#wait(photo);
          this.#paused = true;
          this.#events.passwordNeeded(outcome);
        } else {
          this.#refuse(photo, outcome);
        }
        break;
      case 'interrupted':
        this.#later(photo, 'interrupted', 0);
        break;
      case 'busy':
        this.#later(photo, 'busy', outcome.afterMs);
        break;
    }
    this.run();
  }

  async #try(photo: Photo): Promise<Outcome> {
    try {
      // Once: the same key with other bytes would be another photo to the server.
      if (this.#seal !== null) photo.sealed ??= await this.#seal(photo.file);
    } catch {
      return { kind: 'refused', status: 0, code: 'SEALING_FAILED', message: 'The photo could not be encrypted.' };
    }
    return attempt(this.#url, photo, this.password, fraction => {
      photo.progress = fraction;
      this.#events.changed(photo);
    });
  }

  #later(photo: Photo, state: 'interrupted' | 'busy', atLeastMs: number): void {
    photo.progress = 0;
    if (photo.attempts >= automaticAttempts) {
      this.#move(photo, 'gaveUp');
      return;
    }
    const backOff = Math.min(longestWaitMs, 1000 * 2 ** (photo.attempts - 1));
    const wait = Math.max(atLeastMs, backOff) * (1 + Math.random() / 4);
    photo.timer = window.setTimeout(() => {
      this.#wait(photo);
      this.run();
    }, wait);
    this.#move(photo, state);
  }

  #wait(photo: Photo): void {
    clearTimeout(photo.timer);
    this.#move(photo, 'waiting');
  }

  #refuse(photo: Photo, refusal: Refusal): void {
    this.#move(photo, 'refused');
    this.#events.refused(photo, refusal);
  }

  #move(photo: Photo, state: State): void {
    photo.state = state;
    this.#events.changed(photo);
  }
}

/** `crypto.randomUUID` exists on HTTPS and loopback only; a link opened over plain HTTP in a local network needs a key too. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}
