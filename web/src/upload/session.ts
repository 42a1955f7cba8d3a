import type { Asked } from './attempt';
import { passwordHeader } from './http';
import type { Limits } from './limits';

/** The session as it stands. */
export interface Session {
  status: 'pending' | 'active' | 'completed' | 'expired';
  /** Unix milliseconds. */
  expires: number;
  label: string | null;
  limits: Limits;
  mayWithdraw: boolean;
  allowCaptions: boolean;
  instructions: string | null;
  thankYou: string | null;
  returnUrl: string | null;
  ask: Asked[];
  strip: 'none' | 'location' | 'all';
}

interface SessionInfo {
  status: Session['status'];
  expiresAt: string;
  label: string | null;
  imagesCount: number;
  effectiveMaxImages: number;
  effectiveAllowedMimeTypes: string[];
  effectiveMaxImageSizeMb: number;
  effectiveMaxImageDimension: number | null;
  allowWithdraw: boolean;
  allowCaptions: boolean;
  instructions: string | null;
  thankYou: string | null;
  returnUrl: string | null;
  ask: Asked[];
  strip: Session['strip'];
}

/** Asks for it; null when there is no answer now. */
export async function ask(api: string, password: string | null): Promise<Session | null> {
  try {
    const response = await fetch(`${api}/session`, { headers: passwordHeader(password) });
    if (!response.ok) return null;
    const info = await response.json() as SessionInfo;
    return {
      status: info.status,
      expires: Date.parse(info.expiresAt),
      label: info.label,
      limits: {
        left: Math.max(0, info.effectiveMaxImages - info.imagesCount),
        types: info.effectiveAllowedMimeTypes,
        maxMegabytes: info.effectiveMaxImageSizeMb,
        maxSide: info.effectiveMaxImageDimension,
      },
      mayWithdraw: info.allowWithdraw,
      allowCaptions: info.allowCaptions,
      instructions: info.instructions,
      thankYou: info.thankYou,
      returnUrl: info.returnUrl,
      ask: info.ask,
      strip: info.strip,
    };
  } catch {
    return null;
  }
}

const news = ['connected', 'image:ready', 'session:changed', 'session:completed'];

/** Where a stream cannot be had, it is asked for again, and the session looked at, so often. */
const againMs = 20_000;

/** Says whenever the session may have changed, as long as the page is open. The stream also shows the server that somebody has the link open. */
export async function follow(api: string, visitor: string, password: string | null, onNews: () => void): Promise<void> {
  let query = `?visitor=${visitor}`;
  const again = (): void => {
    window.setTimeout(() => {
      onNews();
      void follow(api, visitor, password, onNews);
    }, againMs);
  };
  try {
    if (password !== null) {
      const response = await fetch(`${api}/event-ticket`, { method: 'POST', headers: passwordHeader(password) });
      query += `&ticket=${encodeURIComponent((await response.json() as { ticket: string }).ticket)}`;
    }
  } catch {
    again();
    return;
  }
  const stream = new EventSource(`${api}/events${query}`);
  for (const name of news) stream.addEventListener(name, onNews);
  stream.onerror = () => {
    // What it does not try again by itself, such as with a used ticket.
    if (stream.readyState === EventSource.CLOSED) again();
  };
}
