import { answersMissing, attempt, type Answers, type Outcome, type Parcel, type Received, type Refusal } from './attempt';
import { Line } from './line';
import type { Seal } from './seal';
import { alone, sha256, type Kept, type Store } from './store';

export type State = 'waiting' | 'sending' | 'interrupted' | 'stalled' | 'busy' | 'gaveUp' | 'sent' | 'refused' | 'copy';

export interface Photo extends Parcel {
  state: State;
  /** 0–1 while sending. */
  progress: number;
  attempts: number;
  /** Kept, looked at, and nothing speaks against sending it. */
  isReady: boolean;
  /** Pending automatic retry. */
  timer: number;
  /** Of the photo itself, hex; null where the browser cannot tell. */
  sha256: string | null;
  added: number;
  picture: Blob | null;
  received: Received | null;
  told: string | null;
  /** What is being done about it, where that is not sending. */
  doing?: string;
}

export interface QueueEvents {
  changed(photo: Photo): void;
  received(photo: Photo, data: Received): void;
  refused(photo: Photo, refusal: Refusal): void;
  passwordNeeded(refusal: Refusal): void;
  answersNeeded(refusal: Refusal): void;
}

const automaticAttempts = 8;
const longestWaitMs = 30_000;

/** Larger photos go in pieces, so that a broken line costs little of them. */
const oneRequestBytes = 1_500_000;

/** Sends photos, as many at a time as the line carries, and again after interruptions, until each is received, refused or given up for now. */
export class UploadQueue {
  password: string | null = null;
  /** What goes along with each photo that is sent from now on. */
  answers: Answers = {};
  private readonly list: Photo[] = [];
  private readonly api: string;
  private readonly events: QueueEvents;
  private readonly seal: Seal | null;
  private readonly store: Store;
  private readonly about: { session: string; expires: number };
  private readonly line = new Line();
  private paused = true;

  /** With a seal, no photo leaves without it. */
  constructor(api: string, seal: Seal | null, store: Store, about: { session: string; expires: number }, events: QueueEvents) {
    this.api = api;
    this.seal = seal;
    this.store = store;
    this.about = about;
    this.events = events;
    // A network that comes back, or a page that comes to the front again, need not wait for a timer.
    window.addEventListener('online', () => this.retryAll());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.retryAll();
    });
  }

  add(parcel: Omit<Parcel, 'caption' | 'sealed' | 'digest' | 'url'>): Photo {
    const photo: Photo = {
      ...parcel, caption: '', told: null, sealed: null, digest: null, url: null, state: 'waiting', isReady: false, progress: 0, attempts: 0, timer: 0, sha256: null,
      added: Date.now() + this.list.length / 1000, picture: null, received: null,
    };
    this.list.push(photo);
    return photo;
  }

  /** Takes up a photo that an earlier page left. */
  restore(kept: Kept): Photo {
    const state = kept.received === null ? 'waiting' : 'sent';
    // Before there were captions, photos were kept without.
    const photo: Photo = { ...kept, caption: kept.caption ?? '', told: kept.told ?? null, file: kept.file ?? new Blob(), state, isReady: true, progress: 0, attempts: 0, timer: 0 };
    this.list.push(photo);
    return photo;
  }

  /** Makes a new photo ready: kept, so that nothing loses it, and held against those of this session that this browser knows. */
  async prepare(photo: Photo): Promise<void> {
    await this.keep(photo);
    photo.sha256 = photo.address ? null : await sha256(photo.file);
    if (photo.sha256 !== null && this.list.some(other => isOlderCopy(other, photo))) {
      this.move(photo, 'copy');
      await this.store.remove(photo.key);
    } else if (photo.sha256 !== null) {
      await this.keep(photo);
    }
  }

  /** Whether anything is on its way or about to be. */
  get isBusy(): boolean {
    return this.list.some(photo => photo.state === 'sending' || (photo.state === 'waiting' && !this.paused));
  }

  get photos(): readonly Photo[] {
    return this.list;
  }

  /** Keeps a photo as it stands, for another page or another day. */
  async keep(photo: Photo): Promise<void> {
    // It may have been taken out of the list meanwhile.
    if (!this.list.includes(photo)) return;
    const { key, name, source, visitor, caption, told, digest, url, sha256: hash, added, picture, received } = photo;
    const [file, sealed, address] = received === null ? [photo.file, photo.sealed, photo.address] : [null, null, null];
    await this.store.put({ key, name, source, address, visitor, caption, told, digest, url, sha256: hash, added, picture, received, file, sealed, ...this.about });
  }

  /** Sends a copy all the same. */
  async insist(photo: Photo): Promise<void> {
    await this.keep(photo);
    photo.isReady = true;
    this.retry(photo);
  }

  /** Forgets a photo here; what the server has of it is another matter. */
  async remove(photo: Photo): Promise<void> {
    const at = this.list.indexOf(photo);
    if (at < 0) return;
    clearTimeout(photo.timer);
    this.list.splice(at, 1);
    await this.store.remove(photo.key);
    this.run();
  }

  get unfinished(): boolean {
    return this.list.some(photo => !['sent', 'refused', 'copy', 'gaveUp'].includes(photo.state));
  }

  count(state: State): number {
    return this.list.filter(photo => photo.state === state).length;
  }

  /** Photos that have been or may still be accepted. */
  get taken(): number {
    return this.list.length - this.count('refused') - this.count('copy');
  }

  retry(photo: Photo): void {
    photo.attempts = 0;
    this.wait(photo);
    this.run();
  }

  retryAll(): void {
    for (const photo of this.list) {
      if (photo.state === 'gaveUp') photo.attempts = 0;
      if (['interrupted', 'stalled', 'gaveUp'].includes(photo.state)) this.wait(photo);
    }
    this.run();
  }

  resume(): void {
    this.paused = false;
    this.run();
  }

  /** Holds back what has not set out yet. */
  pause(): void {
    this.paused = true;
  }

  /** Refuses what has not been sent yet, for the reason that ended the session. What is on its way may still arrive. */
  close(refusal: Refusal): void {
    for (const photo of this.list) {
      if (['sent', 'refused', 'copy', 'sending'].includes(photo.state)) continue;
      clearTimeout(photo.timer);
      this.refuse(photo, refusal);
    }
  }

  run(): void {
    for (const photo of this.list) {
      const sending = this.list.filter(other => other.state === 'sending');
      const left = sending.reduce((sum, other) => sum + other.file.size * (1 - other.progress), 0);
      if (this.paused || (photo.state === 'waiting' && photo.isReady && !this.line.hasRoom(left, photo.file.size, sending.length))) return;
      if (photo.state === 'waiting' && photo.isReady) void this.send(photo);
    }
  }

  /** Lets a photo set out. */
  ready(photo: Photo): void {
    photo.isReady = true;
    this.run();
  }

  private async send(photo: Photo): Promise<void> {
    photo.attempts++;
    // Only the first time is sure: when its answer was lost, the server has the photo as it was then.
    photo.told ??= photo.caption;
    this.move(photo, 'sending');
    const outcome = await this.try(photo);
    switch (outcome.kind) {
      case 'received':
        this.move(photo, 'sent');
        this.events.received(photo, outcome.data);
        break;
      case 'refused':
        if (outcome.status === 401) {
          this.wait(photo);
          this.paused = true;
          this.events.passwordNeeded(outcome);
        } else if (outcome.code === answersMissing) {
          this.wait(photo);
          this.paused = true;
          this.events.answersNeeded(outcome);
        } else {
          this.refuse(photo, outcome);
        }
        break;
      case 'busy':
        this.later(photo, 'busy', outcome.afterMs);
        break;
      default:
        this.later(photo, outcome.kind, 0);
    }
    this.run();
  }

  private async try(photo: Photo): Promise<Outcome> {
    try {
      // Once: the same key with other bytes would be another photo to the server.
      if (this.seal !== null && photo.sealed === null) {
        photo.sealed = await this.seal(photo.file);
        photo.digest = await sha256(photo.sealed);
        await this.keep(photo);
      }
    } catch {
      return { kind: 'refused', status: 0, code: 'SEALING_FAILED', message: 'The photo could not be encrypted.' };
    }
    photo.digest ??= photo.sha256;
    return alone<Outcome>(photo.key, async () => {
      const outcome = await this.sendAlone(photo);
      if (outcome.kind === 'received') {
        photo.received = outcome.data;
        photo.sealed = null;
        // Before another page gets its turn.
        await this.keep(photo);
      }
      return outcome;
    }).catch(() => ({ kind: 'interrupted' }));
  }

  private async sendAlone(photo: Photo): Promise<Outcome> {
    // Another page on the same link may have sent it meanwhile.
    const kept = await this.store.get(photo.key);
    if (kept?.received) {
      photo.told = kept.told;
      return { kind: 'received', data: kept.received };
    }
    if (photo.address) return (await import('./address')).fetchPhoto(this.api, photo, this.answers, this.password, () => this.events.changed(photo));
    photo.url ??= kept?.url ?? null;
    const body = photo.sealed ?? photo.file;
    let before = photo.url === null ? 0 : -1;
    const onProgress = (sent: number): void => {
      if (before >= 0 && sent > before) this.line.carried(sent - before);
      // A photo in pieces gets on with each attempt that brings some.
      if (photo.url !== null && before >= 0 && sent > before) photo.attempts = 1;
      before = sent;
      photo.progress = Math.min(1, sent / body.size);
      this.events.changed(photo);
      this.run();
    };
    // On a line that has stalled once, what has arrived should stay.
    if (body.size <= oneRequestBytes && photo.url === null && photo.attempts <= 2) return attempt(this.api, photo, this.answers, this.password, onProgress);
    const { sendRest } = await import('./pieces');
    return sendRest(this.api, photo, this.answers, this.password, onProgress, url => {
      photo.url = url;
      return this.keep(photo);
    });
  }

  private later(photo: Photo, state: 'interrupted' | 'stalled' | 'busy', atLeastMs: number): void {
    if (photo.attempts >= automaticAttempts) {
      this.move(photo, 'gaveUp');
      return;
    }
    const backOff = Math.min(longestWaitMs, 1000 * 2 ** (photo.attempts - 1));
    const wait = Math.max(atLeastMs, backOff) * (1 + Math.random() / 4);
    photo.timer = window.setTimeout(() => {
      this.wait(photo);
      this.run();
    }, wait);
    this.move(photo, state);
  }

  private wait(photo: Photo): void {
    clearTimeout(photo.timer);
    this.move(photo, 'waiting');
  }

  private refuse(photo: Photo, refusal: Refusal): void {
    this.move(photo, 'refused');
    void this.store.remove(photo.key);
    this.events.refused(photo, refusal);
  }

  private move(photo: Photo, state: State): void {
    photo.state = state;
    this.events.changed(photo);
  }
}

function isOlderCopy(other: Photo, photo: Photo): boolean {
  return other !== photo && other.sha256 === photo.sha256 && other.state !== 'refused' && other.state !== 'copy';
}
