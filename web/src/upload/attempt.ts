/** The server's answer to an accepted photo. Passed on to a framing page as it is. */
export interface Received {
  id: string;
  filename: string;
  size_bytes: number;
}

/** Sending the same again would not help. */
export interface Refusal {
  kind: 'refused';
  status: number;
  code: string;
  message: string;
}

export type Outcome =
  | { kind: 'received'; data: Received }
  | Refusal
  | { kind: 'interrupted' }
  | { kind: 'busy'; afterMs: number };

export interface Parcel {
  file: File;
  source: 'camera' | 'gallery';
  /** The photo's envelope, when it must not be sent as it is. */
  sealed?: Blob;
  /** The same over all attempts: if only the answer was lost, the server gives it again instead of storing a second photo. */
  key: string;
}

/** A phone that changes networks often leaves the old connection hanging without an error. */
const silenceMs = 60_000;

/** One attempt to send one photo. Never rejects. */
export function attempt(
  url: string, parcel: Parcel, password: string | null, onProgress: (fraction: number) => void,
): Promise<Outcome> {
  return new Promise(resolve => {
    const request = new XMLHttpRequest();
    let timer = 0;
    const heard = (): void => {
      clearTimeout(timer);
      timer = window.setTimeout(() => request.abort(), silenceMs);
    };
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    request.upload.onprogress = event => {
      heard();
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => end(read(request));
    request.onerror = request.onabort = () => end({ kind: 'interrupted' });
    request.open('POST', url);
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Idempotency-Key', parcel.key);
    if (password !== null) request.setRequestHeader('x-session-password', headerText(password));
    const form = new FormData();
    form.append('source', parcel.source);
    if (parcel.sealed === undefined) {
      form.append('file', parcel.file, parcel.file.name);
    } else {
      request.setRequestHeader('X-Aptr-Encrypted', 'e2e');
      form.append('file', parcel.sealed, `${parcel.file.name}.enc`);
    }
    heard();
    request.send(form);
  });
}

/** A header carries Latin-1 at most: the password's UTF-8 bytes travel as one character each. */
export function headerText(text: string): string {
  return Array.from(new TextEncoder().encode(text), byte => String.fromCharCode(byte)).join('');
}

/**
 * The photo did not arrive as it was sent: Safari replays a form with an empty body after the network has changed, or with an empty file. No
 * photo without bytes is sent from here, so the server's word that there is none says nothing about the photo.
 */
function brokeOff(status: number, body: Record<string, unknown>): boolean {
  if (status !== 400) return false;
  const { errors } = body;
  return body['code'] === 'INCOMPLETE_BODY'
    || (Array.isArray(errors) && errors.some(error => (error as { field?: unknown }).field === 'file'));
}

function read(request: XMLHttpRequest): Outcome {
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(request.responseText) as Record<string, unknown>;
  } catch {
    // A proxy in between may answer with a page of its own; the status tells enough.
  }
  const { status } = request;
  if (status === 201) return { kind: 'received', data: body as unknown as Received };
  if (status === 429 || status >= 500) {
    return { kind: 'busy', afterMs: 1000 * (Number(request.getResponseHeader('Retry-After')) || 0) };
  }
  if (status === 408 || brokeOff(status, body)) return { kind: 'interrupted' };
  return { kind: 'refused', status, code: String(body['code'] ?? ''), message: String(body['message'] ?? `HTTP ${status}`) };
}
