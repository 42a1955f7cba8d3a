import { KeptSession } from './kept';
import { follow, look, type Access, type AperturPhoto, type Session } from './session';
import { fill, textsFor } from './texts';
import { View } from './view';

export type { AperturPhoto } from './session';

/** What the element tells, beside `input` and `change`, which come whenever the photos are others. All bubble. */
export interface AperturPhotosEventMap {
  /** A phone has opened the link, or the last one has left it. */
  'apertur:phone': CustomEvent<{ connected: boolean }>;
  /** A photo has arrived. */
  'apertur:photo': CustomEvent<AperturPhoto>;
  /** The session takes no more photos. */
  'apertur:complete': CustomEvent<{ status: 'completed' | 'expired' }>;
}

// Where there is no document, as on a server that renders pages, the module can be imported and does nothing.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** The server that this script came from: it is at /widget/v1.js there. */
const origin = (): string => import.meta.url.replace(/\/widget\/v1\.js.*$/, '');

/** `<apertur-photos>`: photos from a phone, as a field of a form. Its value are their ids. */
export class AperturPhotos extends Base {
  static readonly formAssociated = true;
  static readonly observedAttributes = ['session', 'token', 'endpoint', 'server', 'required', 'lang', 'name'];

  readonly #internals = this.attachInternals();
  #view: View | null = null;
  #photos: readonly AperturPhoto[] = [];
  #access: Access | null = null;
  #visitors = 0;
  #status: Session['status'] = 'pending';
  #isOver = false;
  /** Nobody is there, and nothing has come: the code is what there is to do. */
  #isWaiting = false;
  /** The first look shows what was there before; what comes after it has arrived now. */
  #isFirstLook = true;
  #isLooking = false;
  #lookAgain = false;
  #stop = new AbortController();
  #restarting = 0;
  #expiry = 0;

  /** The photos that have arrived and were not taken back, oldest first. */
  get photos(): readonly AperturPhoto[] {
    return this.#photos;
  }

  /** Their ids, separated by commas. The form sends each as a value of its own under `name`. */
  get value(): string {
    return this.#photos.map(photo => photo.id).join(',');
  }

  get form(): HTMLFormElement | null {
    return this.#internals.form;
  }

  get name(): string {
    return this.getAttribute('name') ?? '';
  }

  get validity(): ValidityState {
    return this.#internals.validity;
  }

  checkValidity(): boolean {
    return this.#internals.checkValidity();
  }

  reportValidity(): boolean {
    return this.#internals.reportValidity();
  }

  connectedCallback(): void {
    const { language, texts } = textsFor(this);
    this.#view ??= new View(this.attachShadow({ mode: 'open', delegatesFocus: true }), texts);
    this.#view.translate(language, texts);
    this.#internals.role = 'group';
    // A label of the page's own names it better.
    this.#internals.ariaLabel = this.#internals.labels.length > 0 ? null : texts.title;
    this.#hold();
    void this.#start();
  }

  disconnectedCallback(): void {
    this.#stop.abort();
    clearTimeout(this.#expiry);
  }

  attributeChangedCallback(name: string): void {
    if (!this.isConnected || this.#view === null) return;
    if (name === 'required' || name === 'name') {
      this.#hold();
    } else if (name === 'lang') {
      const { language, texts } = textsFor(this);
      this.#view.translate(language, texts);
      this.#show();
    } else {
      // Session and token come one after the other.
      clearTimeout(this.#restarting);
      this.#restarting = window.setTimeout(() => void this.#start());
    }
  }

  /** With an `endpoint`, resetting the form begins with a session of its own. */
  formResetCallback(): void {
    if (!this.hasAttribute('endpoint')) return;
    this.#kept.forget();
    void this.#start();
  }

  get #kept(): KeptSession {
    return new KeptSession(this.name);
  }

  async #start(): Promise<void> {
    this.#stop.abort();
    const { signal } = this.#stop = new AbortController();
    this.#access = null;
    this.#visitors = 0;
    this.#isOver = this.#isWaiting = this.#isLooking = this.#lookAgain = false;
    this.#isFirstLook = true;
    this.#take([]);
    this.#view?.clear();
    const access = await this.#enter();
    if (signal.aborted) return;
    if (access === null) {
      this.#fail();
      return;
    }
    this.#access = access;
    this.#view?.offer(access);
    window.addEventListener('submit', event => {
      if (event.target === this.form && !event.defaultPrevented && this.hasAttribute('endpoint')) this.#kept.write(access, true);
    }, { signal });
    await this.#look();
    if (signal.aborted) return;
    follow(access, {
      changed: () => void this.#look(),
      visitors: count => this.#meet(count),
      lost: () => this.#view?.problem(textsFor(this).texts.offline),
      isOver: () => this.#isOver,
    }, signal);
  }

  /** The session that the page names, or that this tab has, or a new one from the page's own server; null when none can be had now. */
  async #enter(): Promise<Access | null> {
    const named = this.getAttribute('server')?.replace(/\/$/, '');
    const [session, token] = [this.getAttribute('session'), this.getAttribute('token')];
    if (session !== null && token !== null) return { server: named ?? origin(), session, token };
    const endpoint = this.getAttribute('endpoint');
    if (endpoint === null) return null;
    const kept = this.#kept.read();
    if (kept !== null) {
      const found = await look(kept);
      const isSpent = found === 'gone' || (found !== null && ['completed', 'expired'].includes(found.status) && found.images.length === 0);
      if (!isSpent) return kept;
      this.#kept.forget();
    }
    try {
      const response = await fetch(endpoint, { method: 'POST', headers: { Accept: 'application/json' } });
      if (!response.ok) return null;
      const made = await response.json() as { id: string; widget_token: string; upload_url: string };
      const access = { server: named ?? made.upload_url.replace(/\/u\/[^/]*$/, ''), session: made.id, token: made.widget_token };
      this.#kept.write(access);
      return access;
    } catch {
      return null;
    }
  }

  /** One look at a time, and another one when something has changed meanwhile. */
  async #look(): Promise<void> {
    const access = this.#access;
    if (access === null) return;
    if (this.#isLooking) {
      this.#lookAgain = true;
      return;
    }
    this.#isLooking = true;
    const session = await look(access);
    if (access !== this.#access) return;
    this.#isLooking = false;
    if (session === 'gone') {
      this.#stop.abort();
      this.#kept.forget();
      this.#fail();
      return;
    }
    if (session === null) this.#view?.problem(textsFor(this).texts.offline);
    else this.#see(access, session);
    if (this.#lookAgain) {
      this.#lookAgain = false;
      void this.#look();
    }
  }

  #see(access: Access, session: Session): void {
    const known = new Set(this.#photos.map(photo => photo.id));
    const arrived = session.images.filter(photo => !known.has(photo.id));
    const isOther = arrived.length > 0 || session.images.length !== this.#photos.length;
    this.#view?.problem('');
    this.#take(session.images);
    this.#view?.photos(access, session.images);
    const wasOver = this.#isOver;
    this.#status = session.status;
    this.#isOver = session.status === 'completed' || session.status === 'expired';
    this.#show();
    this.#awaitExpiry(Date.parse(session.expiresAt) - Date.now());
    if (!this.#isFirstLook) {
      for (const photo of arrived) {
        this.#view?.announce(photo);
        this.#tell('apertur:photo', photo);
      }
    }
    this.#isFirstLook = false;
    if (isOther) {
      this.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
      this.dispatchEvent(new Event('change', { bubbles: true }));
    }
    if (this.#isOver && !wasOver) this.#tell('apertur:complete', { status: session.status as 'completed' | 'expired' });
  }

  /** No event tells of the moment. */
  #awaitExpiry(ms: number): void {
    clearTimeout(this.#expiry);
    // Browsers wait for 24 days at most.
    if (ms > 0) this.#expiry = window.setTimeout(() => void this.#look(), Math.min(ms + 500, 2 ** 31 - 1));
  }

  #meet(visitors: number): void {
    const [before, now] = [this.#visitors > 0, visitors > 0];
    this.#visitors = visitors;
    this.#show();
    if (before !== now) this.#tell('apertur:phone', { connected: now });
  }

  #show(): void {
    if (this.#access === null) return;
    const { texts } = textsFor(this);
    const count = this.#photos.length === 0 ? '' : fill(texts.count, this.#photos.length);
    const state = this.#status === 'completed' ? texts.completed
      : this.#status === 'expired' ? texts.expired
      : this.#visitors > 0 ? texts.connected
      : count === '' ? texts.scan : '';
    const mayRenew = this.#isOver && count === '' && this.hasAttribute('endpoint');
    this.#view?.say(mayRenew ? '' : [state, count].filter(Boolean).join(' · '));
    if (mayRenew) this.#view?.problem(state, texts.renew, () => void this.#start());
    this.#view?.code(!this.#isOver);
    const isWaiting = !this.#isOver && this.#visitors === 0 && count === '';
    // Once each time that changes: in between it is the reader's.
    if (isWaiting !== this.#isWaiting) this.#view?.unfold(isWaiting);
    this.#isWaiting = isWaiting;
  }

  #fail(): void {
    const { texts } = textsFor(this);
    this.#view?.code(false);
    this.#view?.problem(texts.failed, texts.retry, () => void this.#start());
  }

  #take(photos: readonly AperturPhoto[]): void {
    this.#photos = photos;
    this.#hold();
  }

  /** Hands the form what it sends, and says what is missing. */
  #hold(): void {
    const data = new FormData();
    for (const { id } of this.#photos) data.append(this.name, id);
    this.#internals.setFormValue(this.name === '' || this.#photos.length === 0 ? null : data);
    const isMissing = this.hasAttribute('required') && this.#photos.length === 0;
    if (isMissing) this.#internals.setValidity({ valueMissing: true }, textsFor(this).texts.needed, this.#view?.handle);
    else this.#internals.setValidity({});
  }

  #tell<K extends keyof AperturPhotosEventMap>(name: K, detail: AperturPhotosEventMap[K]['detail']): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'apertur-photos': AperturPhotos;
  }

  interface GlobalEventHandlersEventMap extends AperturPhotosEventMap {}
}

if (globalThis.customElements && !customElements.get('apertur-photos')) customElements.define('apertur-photos', AperturPhotos);
