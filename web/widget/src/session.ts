/** A photo that has arrived. */
export interface AperturPhoto {
  /** What the form sends, and what the server's API calls it everywhere. */
  readonly id: string;
  readonly filename: string;
  readonly sizeBytes: number;
  readonly mimeType: string;
  readonly hasThumbnail: boolean;
  readonly createdAt: string;
}

/** A session, and what lets a page look on at it. */
export interface Access {
  /** The server's address, without a slash at its end. */
  server: string;
  session: string;
  token: string;
}

export interface Session {
  status: 'pending' | 'active' | 'completed' | 'expired';
  expiresAt: string;
  images: AperturPhoto[];
}

/** Where a stream cannot be had, it is asked for again, and the session looked at, so often. */
const againMs = 20_000;

const address = ({ server, session, token }: Access, path: string): string =>
  `${server}/api/v1/upload/${encodeURIComponent(session)}/${path}?token=${encodeURIComponent(token)}`;

export const qrUrl = ({ server, session }: Access): string => `${server}/api/v1/upload-sessions/${encodeURIComponent(session)}/qr?format=svg`;

export const linkUrl = ({ server, session }: Access): string => `${server}/u/${encodeURIComponent(session)}`;

export const thumbnailUrl = (access: Access, photo: AperturPhoto): string => address(access, `images/${photo.id}/thumbnail`);

/** The session as it stands; `gone` when there is none for this token, null when there is no answer now. */
export async function look(access: Access): Promise<Session | 'gone' | null> {
  try {
    const response = await fetch(address(access, 'images'));
    if (response.ok) return await response.json() as Session;
    return [400, 401, 404].includes(response.status) ? 'gone' : null;
  } catch {
    return null;
  }
}

export interface News {
  /** Something may be new. */
  changed(): void;
  /** So many have the page of the session open. */
  visitors(count: number): void;
  /** The line is away. */
  lost(): void;
  /** Whether nothing can come any more. */
  isOver(): boolean;
}

/** Follows a session until `signal` is aborted. */
export function follow(access: Access, news: News, signal: AbortSignal): void {
  const stream = new EventSource(address(access, 'events'));
  for (const name of ['connected', 'image:ready', 'session:changed', 'session:completed']) stream.addEventListener(name, () => news.changed());
  stream.addEventListener('session:visitors', event => news.visitors((JSON.parse(event.data as string) as { visitors: number }).visitors));
  let timer: ReturnType<typeof setTimeout>;
  stream.onerror = () => {
    // A browser tries again by itself, unless the server refuses, or says that there will be nothing else.
    if (stream.readyState !== EventSource.CLOSED) {
      news.lost();
      return;
    }
    news.changed();
    timer = setTimeout(() => {
      if (!signal.aborted && !news.isOver()) follow(access, news, signal);
    }, againMs);
  };
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    stream.close();
  });
}
