import type { Received } from './attempt';
import type { Photo } from './queue';
import type { Texts } from './texts';

/** Something that the page around a framed one hears of. */
export type Told =
  | [name: 'image:received', received: Received]
  | [name: 'session:complete']
  | [name: 'progress', photo: Photo]
  | [name: 'error', words: string, key: keyof Texts, photo?: Photo];

const sessionId = location.pathname.split('/').pop();

// What the server would say.
const codes: Partial<Record<keyof Texts, string>> = {
  empty: 'VALIDATION_ERROR', tooLarge: 'IMAGE_TOO_LARGE', tooManyPixels: 'IMAGE_TOO_LARGE', wrongType: 'UNSUPPORTED_IMAGE_TYPE', tooMany: 'SESSION_FULL',
};

/** Any site may frame the page, and it holds the link already: so any origin may hear. */
const post = (name: string, data: object): void => window.parent.postMessage({ type: `apertur:${name}`, data }, '*');

/** Tells the page around this one what has happened. */
export function tell(...told: Told): void {
  switch (told[0]) {
    case 'image:received': return post(told[0], told[1]);
    case 'session:complete': return post(told[0], { sessionId });
    case 'progress': return post(told[0], { filename: told[1].name, progress: told[1].progress });
    case 'error': {
      const [name, message, key, photo] = told;
      return post(name, { message, code: codes[key] ?? key.replace('error.', ''), filename: photo?.name ?? null });
    }
  }
}

let height = 0;

/** How high the page would be in a frame without an end. The bar stands at the bottom of the frame, wherever that is, once there are photos. */
function measure(): void {
  const main = document.querySelector('main')!;
  const bar = document.querySelector<HTMLElement>('.filled #bar');
  const top = main.getBoundingClientRect().top;
  const bottoms = Array.from(main.children, child => child === bar ? 0 : child.getBoundingClientRect().bottom - top);
  const now = Math.ceil(Math.max(...bottoms) + (bar?.offsetHeight ?? 0) + parseFloat(getComputedStyle(main).paddingBottom));
  if (now === height) return;
  height = now;
  post('height', { height });
}

post('ready', { sessionId });
new MutationObserver(measure).observe(document.documentElement, { subtree: true, childList: true, attributes: true, characterData: true });
new ResizeObserver(measure).observe(document.body);
measure();
