import { effect } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes } from '../dashboard/api/client';
import { openedKeys } from '../dashboard/state';

interface Kept { readonly picture: Promise<string | null>; readonly end: AbortController; there: boolean; wanted: number }

// Pictures that were in sight lately, so that scrolling back fetches nothing.
const kept = new Map<string, Kept>();
const most = 400;
const none: readonly CryptoKey[] = [];
const opened = ' opened';

/** Shows a picture as soon as it is there; what is returned ends the wait, and the fetching when nobody else waits. Failures are not kept. */
function want(key: string, make: (signal: AbortSignal) => Promise<Blob | null>, show: (url: string | null) => void): () => void {
  const one = kept.get(key) ?? begin(key, make);
  kept.delete(key);
  kept.set(key, one);
  const oldest = kept.size > most ? [...kept].find(() => true) : undefined;
  if (oldest) drop(...oldest);
  let gone = false;
  one.wanted++;
  void one.picture.then(url => { if (!gone) show(url); });
  return () => {
    gone = true;
    if (--one.wanted === 0 && !one.there) drop(key, one);
  };
}

function begin(key: string, make: (signal: AbortSignal) => Promise<Blob | null>): Kept {
  const end = new AbortController();
  const picture = make(end.signal).then(
    blob => { one.there = true; return blob && URL.createObjectURL(blob); },
    () => { drop(key, one); return null; });
  const one: Kept = { picture, end, there: false, wanted: 0 };
  return one;
}

function drop(key: string, one: Kept): void {
  if (kept.get(key) === one) kept.delete(key);
  one.end.abort();
  void one.picture.then(url => { if (url !== null) URL.revokeObjectURL(url); });
}

// Another key may open more, and what a forgotten one opened is no longer to be seen.
effect(() => {
  void openedKeys.value;
  for (const [key, one] of [...kept]) if (key.endsWith(opened)) drop(key, one);
});

// Envelopes are opened one at a time: each is a whole photo.
let opening: Promise<unknown> = Promise.resolve();

/** What stands in an envelope, small, made here: the server has no picture of it. Null where that can be none with these keys. */
function openPicture(upload: { id: string; filename: string }, keys: readonly CryptoKey[], signal: AbortSignal): Promise<Blob | null> {
  const picture = opening.then(async () => {
    signal.throwIfAborted();
    const { Closed, open } = await import('../dashboard/unseal');
    const photo = await open(upload, keys, signal).then(each => each.photo, error => { if (error instanceof Closed) return null; throw error; });
    signal.throwIfAborted();
    const image = photo && await createImageBitmap(photo).catch(() => null);
    if (!image) return null;
    const scale = Math.min(1, 256 / Math.max(image.width, image.height));
    const canvas = Object.assign(document.createElement('canvas'), { width: Math.ceil(image.width * scale), height: Math.ceil(image.height * scale) });
    canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    return new Promise<Blob>((done, fail) => canvas.toBlob(blob => blob ? done(blob) : fail(new Error('No picture')), 'image/jpeg'));
  });
  opening = picture.catch(() => undefined);
  return picture;
}

/** A small picture of an upload, fetched when it comes near the window; what it is called where there is none. */
export function Thumbnail({ upload, class: look = '' }: { upload: { id: string; filename: string; mimeType?: string }; class?: string }) {
  const root = useRef<HTMLSpanElement>(null);
  const [near, setNear] = useState(false);
  const [source, setSource] = useState<string | null>();
  const isSealed = upload.filename.endsWith('.enc.json');
  const keys = isSealed ? openedKeys.value : none;
  useEffect(() => {
    const observer = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) setNear(true); }, { rootMargin: '200px' });
    observer.observe(root.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (!near) return;
    if (!isSealed) return want(upload.id, signal => bytes(`/api/v1/uploads/${upload.id}/thumbnail`, signal), setSource);
    if (keys.length > 0) return want(upload.id + opened, signal => openPicture(upload, keys, signal), setSource);
    setSource(null);
    return undefined;
  }, [near, upload.id, keys]);
  return (
    <span ref={root} class={`picture ${look}`}>
      {source ? <img src={source} alt="" onError={() => setSource(null)} /> : source === null ? <span>{kindOf(upload)}</span> : null}
    </span>
  );
}

export const kindOf = ({ filename, mimeType }: { filename: string; mimeType?: string }): string =>
  (mimeType?.split('/')[1] ?? filename.split('.').at(-1) ?? '').toUpperCase().slice(0, 5);
