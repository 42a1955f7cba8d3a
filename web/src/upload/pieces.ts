import { read, type Answers, type Outcome, type Parcel } from './attempt';
import { passwordHeader, request } from './http';

/**
 * One attempt to send what the server does not have yet of one photo, by tus 1.0. Never rejects.
 * @param keep Is told where the photo's bytes go, to be kept for the next attempt, in this page or another.
 */
export async function sendRest(
  api: string, parcel: Parcel, answers: Answers, password: string | null, onProgress: (sent: number) => void,
  keep: (url: string) => Promise<void>,
): Promise<Outcome> {
  const body = parcel.sealed ?? parcel.file;
  const common = { 'Tus-Resumable': '1.0.0', ...passwordHeader(password) };
  let { url } = parcel;
  let offset = 0;
  if (url !== null) {
    const head = await request('HEAD', url, common, null);
    if (typeof head === 'string') return { kind: head };
    if (head.status === 404) url = null;
    // A refusal of HEAD has no words; the same question by GET has.
    else if (head.status !== 200) return read(await request('GET', url, common, null));
    else offset = Number(head.header('Upload-Offset'));
  }

  if (url === null) {
    const words: Record<string, string> = { filename: parcel.name, source: parcel.source, visitor: parcel.visitor };
    if (parcel.caption !== '') words['caption'] = parcel.caption;
    if (parcel.digest !== null) words['sha256'] = parcel.digest;
    for (const [field, text] of Object.entries(answers)) words[`answer.${field}`] = text;
    const made = await request('POST', `${api}/tus`, {
      ...common,
      'Idempotency-Key': parcel.key,
      'Upload-Length': String(body.size),
      'Upload-Metadata': Object.entries(words).map(([name, value]) => `${name} ${base64(value)}`).join(','),
      ...(parcel.sealed === null ? {} : { 'X-Aptr-Encrypted': 'e2e' }),
    }, null);
    url = typeof made === 'string' ? null : made.header('Location');
    if (typeof made === 'string' || made.status !== 201 || url === null) return read(made);
    offset = Number(made.header('Upload-Offset'));
    await keep(url);
  }

  onProgress(offset);
  if (offset < body.size) {
    const from = offset;
    const sent = await request(
      'PATCH', url, { ...common, 'Upload-Offset': String(from), 'Content-Type': 'application/offset+octet-stream' },
      body.slice(from), bytes => onProgress(from + bytes));
    if (typeof sent === 'string' || sent.status !== 204) return read(sent);
    // Another request took over.
    if (Number(sent.header('Upload-Offset')) < body.size) return { kind: 'interrupted' };
  }

  return read(await request('GET', url, passwordHeader(password), null));
}

/** Has the server forget what it has of a photo that will not be finished. It would forget it in a day anyway. */
export function giveUp(url: string, password: string | null): void {
  void request('DELETE', url, { 'Tus-Resumable': '1.0.0', ...passwordHeader(password) }, null);
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), byte => String.fromCharCode(byte)).join(''));
}
