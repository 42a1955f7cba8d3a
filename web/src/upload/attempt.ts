import { passwordHeader, request, type Answer } from './http';

/** The server's answer to an accepted photo. Passed on to a framing page as it is. */
export interface Received {
  id: string;
  filename: string;
  size_bytes: number;
}

/** Something that the session asks of whoever sends photos. */
export interface Asked {
  field: 'name' | 'email' | 'phone' | 'reference' | 'note';
  required: boolean;
}

export type Answers = Partial<Record<Asked['field'], string>>;

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
  | { kind: 'stalled' }
  | { kind: 'busy'; afterMs: number };

export interface Parcel {
  /** The photo as the phone has it. */
  file: Blob;
  name: string;
  /** As in the API: `camera`, `gallery`, `url`, or the name of a provider. */
  source: string;
  /** Where the server is to fetch it; then the file is empty. */
  address: string | null;
  visitor: string;
  /** What is said of the photo; empty when nothing is. */
  caption: string;
  /** The photo's envelope, when it must not be sent as it is. */
  sealed: Blob | null;
  /** SHA-256 of what is sent, hex: the server refuses other bytes. Null where the browser cannot tell. */
  digest: string | null;
  /** The same over all attempts: if only the answer was lost, the server gives it again instead of storing a second photo. */
  key: string;
  /** Where the server takes the rest of it, once it has begun to come in pieces. */
  url: string | null;
}

/** One attempt to send one photo in one request. Never rejects. */
export async function attempt(
  api: string, parcel: Parcel, answers: Answers, password: string | null, onProgress: (sent: number) => void,
): Promise<Outcome> {
  const headers: Record<string, string> = { 'Idempotency-Key': parcel.key, ...passwordHeader(password) };
  const form = new FormData();
  form.append('source', parcel.source);
  form.append('visitor', parcel.visitor);
  if (parcel.caption !== '') form.append('caption', parcel.caption);
  for (const [field, text] of Object.entries(answers)) form.append(field, text);
  if (parcel.digest !== null) form.append('sha256', parcel.digest);
  if (parcel.sealed === null) {
    form.append('file', parcel.file, parcel.name);
  } else {
    headers['X-Aptr-Encrypted'] = 'e2e';
    form.append('file', parcel.sealed, `${parcel.name}.enc`);
  }
  return read(await request('POST', `${api}/images`, headers, form, onProgress));
}

/** The code of a refusal that is not about the photo: the session asks for something that did not come along. */
export const answersMissing = 'ANSWERS_MISSING';

const fieldsOf = ({ errors }: Record<string, unknown>): unknown[] =>
  Array.isArray(errors) ? errors.map(error => (error as { field?: unknown }).field) : [];

/**
 * The photo did not arrive as it was sent: Safari replays a form with an empty body after the network has changed, or with an empty file. No
 * photo without bytes is sent from here, so the server's word that there is none says nothing about the photo.
 */
function brokeOff(status: number, body: Record<string, unknown>): boolean {
  if (status !== 400) return false;
  return body['code'] === 'INCOMPLETE_BODY' || fieldsOf(body).includes('file');
}

/** What an answer to a photo means. */
export function read(answer: Answer | 'interrupted' | 'stalled'): Outcome {
  if (typeof answer === 'string') return { kind: answer };
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(answer.text) as Record<string, unknown>;
  } catch {
    // A proxy in between may answer with a page of its own; the status tells enough.
  }
  const { status } = answer;
  if (status === 200 || status === 201) return { kind: 'received', data: body as unknown as Received };
  if (status === 429 || status >= 500) return { kind: 'busy', afterMs: 1000 * (Number(answer.header('Retry-After')) || 0) };
  if (status === 408 || body['code'] === 'OFFSET_CONFLICT' || brokeOff(status, body)) return { kind: 'interrupted' };
  const isAsked = status === 400 && fieldsOf(body).some(field => /^(name|email|phone|reference|note)$/.test(String(field)));
  return { kind: 'refused', status, code: isAsked ? answersMissing : String(body['code'] ?? ''), message: String(body['message'] ?? `HTTP ${status}`) };
}
