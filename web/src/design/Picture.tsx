import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes } from '../dashboard/api/client';

// Blobs of pictures that were in sight lately, so that scrolling back fetches nothing.
const kept = new Map<string, Promise<string | null>>();
const most = 400;

function fetchPicture(address: string): Promise<string | null> {
  const known = kept.get(address);
  if (known) {
    kept.delete(address);
    kept.set(address, known);
    return known;
  }
  const picture = bytes(address).then(blob => URL.createObjectURL(blob), () => null);
  kept.set(address, picture);
  const oldest = kept.size > most ? [...kept].find(() => true) : undefined;
  if (oldest) {
    kept.delete(oldest[0]);
    void oldest[1].then(url => { if (url !== null) URL.revokeObjectURL(url); });
  }
  return picture;
}

/** A small picture of an upload, fetched when it comes near the window; what it is called where there is none. */
export function Thumbnail({ upload, class: look = '' }: { upload: { id: string; filename: string; mimeType?: string }; class?: string }) {
  const root = useRef<HTMLSpanElement>(null);
  const [near, setNear] = useState(false);
  const [source, setSource] = useState<string | null>();
  useEffect(() => {
    const observer = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) setNear(true); }, { rootMargin: '200px' });
    observer.observe(root.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (!near) return;
    let gone = false;
    void fetchPicture(`/api/v1/uploads/${upload.id}/thumbnail`).then(url => { if (!gone) setSource(url); });
    return () => { gone = true; };
  }, [near, upload.id]);
  return (
    <span ref={root} class={`picture ${look}`}>
      {source ? <img src={source} alt="" onError={() => setSource(null)} /> : source === null ? <span>{kindOf(upload)}</span> : null}
    </span>
  );
}

export const kindOf = ({ filename, mimeType }: { filename: string; mimeType?: string }): string =>
  (mimeType?.split('/')[1] ?? filename.split('.').at(-1) ?? '').toUpperCase().slice(0, 5);
