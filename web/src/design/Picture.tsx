import { effect } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes } from '../dashboard/api/client';
import { openedKeys } from '../dashboard/state';

// Blobs of pictures that were in sight lately, so that scrolling back fetches nothing.
const kept = new Map<string, Promise<string | null>>();
const most = 400;
const none: readonly CryptoKey[] = [];

function fetchPicture(key: string, make: () => Promise<Blob>): Promise<string | null> {
  const known = kept.get(key);
  if (known) {
    kept.delete(key);
    kept.set(key, known);
    return known;
  }
  const picture = make().then(blob => URL.createObjectURL(blob), () => null);
  kept.set(key, picture);
  const oldest = kept.size > most ? [...kept].find(() => true) : undefined;
  if (oldest) {
    kept.delete(oldest[0]);
    void oldest[1].then(url => { if (url !== null) URL.revokeObjectURL(url); });
  }
  return picture;
}

effect(() => {
  if (openedKeys.value.length > 0) return;
  for (const [key, picture] of [...kept].filter(([key]) => key.endsWith(' opened'))) {
    kept.delete(key);
    void picture.then(url => { if (url !== null) URL.revokeObjectURL(url); });
  }
});

// Envelopes are opened one at a time: each is a whole photo.
let opening: Promise<unknown> = Promise.resolve();

/** What stands in an envelope, small, made here: the server has no picture of it. */
function openPicture(upload: { id: string; filename: string }, keys: readonly CryptoKey[]): Promise<Blob> {
  const picture = opening.then(async () => {
    const { photo } = await (await import('../dashboard/unseal')).open(upload, keys);
    const image = await createImageBitmap(photo);
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
    let gone = false;
    const picture = isSealed
      ? keys.length === 0 ? Promise.resolve(null) : fetchPicture(`${upload.id} opened`, () => openPicture(upload, keys))
      : fetchPicture(upload.id, () => bytes(`/api/v1/uploads/${upload.id}/thumbnail`));
    void picture.then(url => { if (!gone) setSource(url); });
    return () => { gone = true; };
  }, [near, upload.id, keys]);
  return (
    <span ref={root} class={`picture ${look}`}>
      {source ? <img src={source} alt="" onError={() => setSource(null)} /> : source === null ? <span>{kindOf(upload)}</span> : null}
    </span>
  );
}

export const kindOf = ({ filename, mimeType }: { filename: string; mimeType?: string }): string =>
  (mimeType?.split('/')[1] ?? filename.split('.').at(-1) ?? '').toUpperCase().slice(0, 5);
