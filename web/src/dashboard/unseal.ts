import { effect } from '@preact/signals';
import { bytes } from './api/client';
import { openedKeys, person } from './state';
import type { Words } from './text';

/** Why a photo stays closed, in words. */
export class Closed extends Error {
  constructor(readonly words: Words) {
    super(words);
  }
}

/** A photo as it was before it was encrypted, what it may be saved as, and which of the keys opened it. */
export interface Opened { readonly photo: Blob; readonly filename: string; readonly key: CryptoKey }

// Whoever signs in next is somebody else, perhaps.
let owner = person.peek()?.id;
effect(() => {
  const id = person.value?.id;
  if (id !== owner) openedKeys.value = [];
  owner = id;
});

/**
 * Takes a private key (PEM, PKCS#8) for the photos of this page. The browser does not give it out again, and it is kept in memory alone.
 * @throws Closed when it is none.
 */
export async function takeKey(pem: string): Promise<CryptoKey> {
  const body = /-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----/.exec(pem)?.[1];
  if (body === undefined) throw new Closed(whyNot(pem));
  try {
    return await crypto.subtle.importKey('pkcs8', fromBase64(body), { name: 'RSA-OAEP', hash: 'SHA-256' }, false, ['decrypt']);
  } catch {
    throw new Closed('This is no private RSA key, or a part of it is missing.');
  }
}

function whyNot(pem: string): Words {
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem)) return 'This key is locked with a passphrase. Unlock it first: openssl pkcs8 -topk8 -nocrypt -in key.pem';
  if (/BEGIN RSA PRIVATE KEY/.test(pem)) return 'This key has an older form. Change it first: openssl pkcs8 -topk8 -nocrypt -in key.pem';
  if (/BEGIN \w+ PRIVATE KEY/.test(pem)) return 'This is no private RSA key, or a part of it is missing.';
  return /PUBLIC KEY-----/.test(pem)
    ? 'This is a public key. The private one opens photos.'
    : 'This is no private key. It begins with -----BEGIN PRIVATE KEY-----.';
}

/**
 * Fetches an envelope (docs/encryption.md) and opens it.
 * @throws Closed when none of the keys is the right one, or the envelope is damaged.
 */
export async function open(upload: { id: string; filename: string }, keys: readonly CryptoKey[], signal: AbortSignal): Promise<Opened> {
  const text = await (await bytes(`/api/v1/uploads/${upload.id}/download`, signal)).text();
  signal.throwIfAborted();
  const { encryptedKey, iv, encryptedData } = read(text);
  for (const key of keys) {
    const raw = await crypto.subtle.decrypt({ name: 'RSA-OAEP' }, key, encryptedKey).catch(() => undefined);
    if (raw === undefined) continue;
    const content = await decrypt(raw, iv, encryptedData);
    const kind = kindOf(new Uint8Array(content, 0, Math.min(256, content.byteLength)));
    return { photo: new Blob([content], { type: kind }), filename: nameOf(upload.filename, kind), key };
  }
  throw new Closed('This key does not open the photo: it was encrypted to another one.');
}

async function decrypt(raw: ArrayBuffer, iv: BufferSource, data: BufferSource): Promise<ArrayBuffer> {
  try {
    const aes = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
    return await crypto.subtle.decrypt({ name: 'AES-GCM', iv, tagLength: 128 }, aes, data);
  } catch {
    throw new Closed('The key is right, but the photo was damaged or changed after it was encrypted.');
  }
}

function read(text: string) {
  try {
    const envelope = JSON.parse(text) as Record<string, string>;
    // Programs may write the names in snake_case.
    const part = (name: string, other: string) => fromBase64((envelope[name] ?? envelope[other])!);
    return { encryptedKey: part('encryptedKey', 'encrypted_key'), iv: part('iv', 'iv'), encryptedData: part('encryptedData', 'encrypted_data') };
  } catch (error) {
    // There was not enough memory for it.
    if (error instanceof RangeError) throw error;
    throw new Closed('This file is no encrypted photo.');
  }
}

/** By a loop: a hundred million characters one by one through an iterator take the browser minutes, and its memory. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const content = new Uint8Array(characters.length);
  for (let at = 0; at < content.length; at++) content[at] = characters.charCodeAt(at);
  return content;
}

const unknown = 'application/octet-stream';

// The endings that each kind may have, the usual one first.
const endings: Readonly<Record<string, readonly string[]>> = {
  'image/jpeg': ['.jpg', '.jpeg', '.jpe', '.jfif'], 'image/png': ['.png'], 'image/webp': ['.webp'], 'image/heic': ['.heic', '.heif', '.hif', '.heics', '.heifs'],
  [unknown]: ['.bin'],
};

/** What kind of photo begins like that: it is shown and saved as nothing else. */
function kindOf(start: Uint8Array): string {
  const text = String.fromCharCode(...start);
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('\x89PNG')) return 'image/png';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  // The brands of a file type box: an AVIF file may name HEIF too.
  const brands = text.slice(4, 8) === 'ftyp' ? text.slice(8, start[3]).match(/.{4}/gs) ?? [] : [];
  return brands.some(brand => /^(hei|hev|mif1|msf1)/.test(brand)) && !brands.some(brand => brand.startsWith('avi')) ? 'image/heic' : unknown;
}

/** The sender's name of a photo with an ending that agrees with the bytes, as the server gives it to photos that it can read: invoice.jpg.hta would run. */
function nameOf(sealed: string, kind: string): string {
  const known = endings[kind]!;
  const fits = (name: string) => known.some(ending => name.toLowerCase().endsWith(ending));
  const name = sealed.replace(/\.enc\.json$/, '');
  if (fits(name)) return name;
  const stem = name.replace(/\.(?=\d*[a-z])[a-z\d]{1,4}$/i, '').replace(/[ .]+$/, '');
  return fits(stem) ? stem : `${stem || 'photo'}${known[0]}`;
}
