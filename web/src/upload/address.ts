import type en from '../texts/en.json';
import { read, type Answers, type Outcome } from './attempt';
import { make } from './dom';
import { passwordHeader } from './http';
import type { Photo } from './queue';

/** A little less than the five and a half minutes after which a proxy in front of the server gives up. */
const longestMs = 320_000;

/** The words of this part, which the page does not bring along: most people never need them. */
async function words(): Promise<typeof en> {
  return (await import(`../texts/${document.documentElement.lang}.json`) as { default: typeof en }).default;
}

/** What shows that photos may be fetched, by their address. Kept nowhere else: a page that comes after this one has none. */
const tokens = new Map<string, string>();

/** Where nothing is given out without. */
const needsToken = ['google_drive', 'google_photos', 'onedrive', 'box'];

type Add = (address: string, name: string) => void;

/** Asks for photos in the way of the button that was pressed: in the window that it has opened, or by their address. */
export async function ask(button: HTMLButtonElement, opened: Window | '' | null, add: Add): Promise<void> {
  if (opened === '') return askAddress(button, add);
  if (opened !== null) {
    window.addEventListener('message', event => take(event, opened, add));
    return;
  }
  const problem = make('p', { className: 'bad', textContent: (await words())['web.blocked'] });
  problem.setAttribute('role', 'alert');
  document.querySelectorAll('.from + .bad').forEach(earlier => earlier.remove());
  button.after(problem);
}

/** What somebody picked in a window of this server's own that this page has opened. Nobody else is listened to. */
function take(event: MessageEvent, opened: Window, add: Add): void {
  if (event.origin !== location.origin || event.source !== opened) return;
  const { picked, token } = event.data as { picked?: { url: string; name: string }[]; token?: string };
  if (picked === undefined) return;
  opened.postMessage('taken', location.origin);
  for (const { url, name } of picked) {
    if (token !== undefined) tokens.set(url, token);
    add(url, name);
  }
}

/** Asks below the button for the address of a photo, or asks no more. */
async function askAddress(button: HTMLElement, add: Add): Promise<void> {
  const id = 'address';
  const close = (): void => {
    document.getElementById(`${id}-field`)?.remove();
    button.setAttribute('aria-expanded', 'false');
    button.focus();
  };
  if (document.getElementById(id) !== null) {
    close();
    return;
  }

  // While the words are on their way it counts as open.
  if (button.getAttribute('aria-expanded') === 'true') return;
  button.setAttribute('aria-expanded', 'true');
  const texts = await words().catch((error: unknown) => {
    button.setAttribute('aria-expanded', 'false');
    throw error;
  });
  // Not of type url, whose own check would keep the form around it from being sent.
  const input = make('input', { id, type: 'text', inputMode: 'url', autocomplete: 'off', autocapitalize: 'off', spellcheck: false, maxLength: 4096, dir: 'ltr' });
  const problem = make('p', { id: `${id}-error`, className: 'bad' });
  problem.setAttribute('role', 'alert');
  input.setAttribute('aria-describedby', `${id}-hint ${problem.id}`);
  const take = (): void => {
    const url = addressOf(input.value, button.dataset['http'] === undefined ? 'https:' : 'http:');
    input.setAttribute('aria-invalid', String(url === null));
    problem.textContent = url === null ? texts['web.wrong'] : '';
    if (url === null) {
      input.focus();
      return;
    }
    close();
    add(url.href, nameOf(url));
  };
  const field = make(
    'div', { id: `${id}-field`, className: 'field' },
    make('label', { htmlFor: id, textContent: texts['web.label'] }), input, problem,
    make('p', { id: `${id}-hint`, className: 'hint', textContent: texts['web.hint'] }),
    make('button', { type: 'button', textContent: texts['web.add'], onclick: take }));
  // Beside photos, the buttons stand in columns.
  field.style.gridColumn = '1 / -1';
  field.addEventListener('keydown', event => {
    if (event.key === 'Escape') close();
    if (event.key !== 'Enter' || event.target !== input) return;
    event.preventDefault();
    take();
  });
  button.after(field);
  input.focus();
}

/** One attempt to have the server fetch one photo. Never rejects, but where its words cannot be loaded. */
export async function fetchPhoto(
  api: string, photo: Photo, answers: Answers, password: string | null, changed: () => void,
): Promise<Outcome> {
  const texts = await words();
  photo.doing = texts['web.fetching'];
  changed();
  const { source, visitor, caption, address: url, name } = photo;
  const token = tokens.get(url!);
  const again: Outcome = { kind: 'refused', status: 0, code: 'SOURCE_REFUSED', message: texts['web.again'] };
  const stop = new AbortController();
  const timer = window.setTimeout(() => stop.abort(), longestMs);
  try {
    const answer = await fetch(`${api}/images/from-url`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': photo.key, ...passwordHeader(password) },
      body: JSON.stringify({
        ...answers, url, source, visitor, access_token: token, ...(source === 'url' ? {} : { filename: name }), ...(caption === '' ? {} : { caption }),
      }),
      signal: stop.signal,
    });
    const outcome = read({ status: answer.status, text: await answer.text(), header: wanted => answer.headers.get(wanted) });
    // A place that others hold says nothing of this photo.
    if (answer.status === 429) photo.attempts--;
    if (outcome.kind === 'refused' && outcome.code === 'SOURCE_REFUSED') {
      // The source has trouble that may pass: asked again for half a minute, and then told in words.
      const passes = answer.headers.has('Retry-After');
      if (passes && photo.attempts < 6) return { kind: 'interrupted' };
      if (token !== undefined && !passes) return again;
    }
    // Asked all the same: it may have been received, and only the answer lost.
    if (outcome.kind === 'refused' && outcome.status === 400 && token === undefined && needsToken.includes(source)) return again;
    const said = outcome.kind === 'refused' ? texts[`web.${outcome.code}` as keyof typeof en] : undefined;
    return outcome.kind === 'refused' && said !== undefined ? { ...outcome, message: said } : outcome;
  } catch {
    return { kind: 'interrupted' };
  } finally {
    clearTimeout(timer);
  }
}

/** What somebody typed, as an address; null when it is none. Where there are no certificates, `http:` will do. */
function addressOf(typed: string, least: 'https:' | 'http:'): URL | null {
  const text = typed.trim();
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:/i.test(text) ? text : `https://${text}`);
    return ['https:', least].includes(url.protocol) && url.href.length <= 4096 && url.hostname.includes('.') && url.username === '' && url.password === '' ? url : null;
  } catch {
    return null;
  }
}

/** What the photo is called until the server knows better. */
function nameOf(url: URL): string {
  const end = url.pathname.split('/').pop() ?? '';
  try {
    return decodeURIComponent(end) || url.hostname;
  } catch {
    return end;
  }
}
