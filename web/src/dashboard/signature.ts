import type { Words } from './text';

/** What a check of a signature comes to: whether it is right, and what to know about it. */
export interface Verdict { readonly valid: boolean; readonly words: Words; readonly holes?: Readonly<Record<string, string>> }

const utf8 = new TextEncoder();

/**
 * Checks a request as its receiver should, with nothing but what the person has pasted. It tells the kind of signature by its headers: those of
 * event webhooks (HMAC or Svix), and of webhook destinations (Standard Webhooks, or the body alone).
 */
export async function check(body: string, headerLines: string, secret: string, now: number): Promise<Verdict> {
  const headers = new Map(headerLines.split('\n').filter(line => line.includes(':')).map(line => {
    const end = line.indexOf(':', 1);
    return [line.slice(0, end).trim().toLowerCase(), line.slice(end + 1).trim()] as const;
  }));
  const scheme = schemeOf(headers);
  if (scheme === undefined) return { valid: false, words: 'There is no signature among the headers.' };
  if ('missing' in scheme) return { valid: false, words: 'The header {name} is missing.', holes: { name: scheme.missing } };
  const key = keyOf(secret, scheme.key);
  if (key === undefined) return { valid: false, words: 'The secret of this kind of signature is 64 hex digits.' };

  const isSigned = async (text: string) => {
    const made = new Uint8Array(await sign(key, scheme.prefix + text));
    return scheme.signatures.includes(scheme.encoding === 'hex' ? hex(made) : btoa(String.fromCharCode(...made)));
  };
  if (!await isSigned(body)) return { valid: false, words: await reason(body, isSigned) };
  const seconds = Math.abs(now / 1_000 - Number(scheme.timestamp));
  return scheme.timestamp !== undefined && !(seconds <= 300)
    ? { valid: true, words: 'The signature is right, but its time is more than 5 minutes from now: a receiver refuses it, so that nobody can send it again.' }
    : { valid: true, words: 'The signature is right.' };
}

interface Scheme {
  readonly prefix: string;
  readonly signatures: readonly string[];
  readonly encoding: 'hex' | 'base64';
  readonly key: 'text' | 'hex';
  readonly timestamp?: string;
}

function schemeOf(headers: ReadonlyMap<string, string>): Scheme | { readonly missing: string } | undefined {
  for (const name of ['svix', 'webhook']) {
    const signature = headers.get(`${name}-signature`);
    if (signature === undefined) continue;
    const [id, timestamp] = [headers.get(`${name}-id`), headers.get(`${name}-timestamp`)];
    if (id === undefined || timestamp === undefined) return { missing: id === undefined ? `${name}-id` : `${name}-timestamp` };
    const signatures = signature.split(/\s+/).map(each => each.replace(/^v1,/, ''));
    return { prefix: `${id}.${timestamp}.`, signatures, encoding: 'base64', key: name === 'svix' ? 'hex' : 'text', timestamp };
  }
  const signature = headers.get('x-apertur-signature') ?? headers.get('x-aptr-signature');
  if (signature === undefined) return undefined;
  const timestamp = headers.get('x-apertur-timestamp');
  const signatures = signature.split(/[\s,]+/).map(each => each.replace(/^sha256=/, '').toLowerCase());
  return { prefix: timestamp === undefined ? '' : `${timestamp}.`, signatures, encoding: 'hex', key: 'text', ...(timestamp === undefined ? {} : { timestamp }) };
}

function keyOf(secret: string, kind: Scheme['key']): Uint8Array | undefined {
  const text = secret.trim();
  const base64 = /^whsec_(.*)$/.exec(text)?.[1];
  if (base64 !== undefined) {
    try { return Uint8Array.from(atob(base64), character => character.charCodeAt(0)); } catch { return undefined; }
  }
  if (kind === 'text') return utf8.encode(text);
  return /^([0-9a-f]{2}){16,}$/i.test(text) ? Uint8Array.from(text.match(/../g)!, pair => parseInt(pair, 16)) : undefined;
}

async function sign(key: Uint8Array, text: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey('raw', key as BufferSource, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return crypto.subtle.sign('HMAC', imported, utf8.encode(text));
}

const hex = (of: Uint8Array): string => [...of].map(each => each.toString(16).padStart(2, '0')).join('');

/** What most often happens to a body on its way to the check. */
async function reason(body: string, isSigned: (text: string) => Promise<boolean>): Promise<Words> {
  if (await isSigned(body.trimEnd()) || await isSigned(`${body}\n`)) return 'The body has a line break at its end too many or too few: sign the bytes as they came.';
  try {
    if (await isSigned(JSON.stringify(JSON.parse(body)))) return 'The body was written anew as JSON: sign the bytes as they came, not what a parser made of them.';
  } catch { /* It is no JSON. */ }
  return 'The signature is of another body, time or secret.';
}
