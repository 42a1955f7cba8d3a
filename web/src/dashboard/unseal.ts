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

/** A photo as it was before it was encrypted. */
export interface Opened { readonly photo: Blob; readonly filename: string }

// Whoever signs in next is somebody else, perhaps.
effect(() => { if (!person.value) openedKeys.value = []; });

/**
 * Takes a private key (PEM, PKCS#8) for the photos of this page. The browser does not give it out again, and it is kept in memory alone.
 * @throws Closed when it is none.
 */
export async function takeKey(pem: string): Promise<CryptoKey> {
  if (/PUBLIC KEY-----/.test(pem)) throw new Closed('This is a public key. The private one opens photos.');
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem)) throw new Closed('This key is locked with a passphrase. Unlock it first: openssl pkcs8 -topk8 -nocrypt -in key.pem');
  if (/BEGIN RSA PRIVATE KEY/.test(pem)) throw new Closed('This key has an older form. Change it first: openssl pkcs8 -topk8 -nocrypt -in key.pem');
  const body = /-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----/.exec(pem)?.[1];
  try {
    return await crypto.subtle.importKey('pkcs8', fromBase64(body!), { name: 'RSA-OAEP', hash: 'SHA-256' }, false, ['decrypt']);
  } catch {
    throw new Closed('This is no private key. It begins with -----BEGIN PRIVATE KEY-----.');
  }
}

/**
 * Fetches an envelope (docs/encryption.md) and opens it.
 * @throws Closed when none of the keys is the right one, or the envelope is damaged.
 */
export async function open(upload: { id: string; filename: string }, keys: readonly CryptoKey[], signal?: AbortSignal): Promise<Opened> {
  const { encryptedKey, iv, encryptedData } = read(await (await bytes(`/api/v1/uploads/${upload.id}/download`, signal)).text());
  for (const key of keys) {
    const raw = await crypto.subtle.decrypt({ name: 'RSA-OAEP' }, key, encryptedKey).catch(() => undefined);
    if (raw === undefined) continue;
    try {
      const aes = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
      const photo = await crypto.subtle.decrypt({ name: 'AES-GCM', iv, tagLength: 128 }, aes, encryptedData);
      return { photo: new Blob([photo], { type: kindOf(new Uint8Array(photo, 0, Math.min(12, photo.byteLength))) }), filename: upload.filename.replace(/\.enc\.json$/, '') };
    } catch {
      throw new Closed('The key is right, but the photo was damaged or changed after it was encrypted.');
    }
  }
  throw new Closed('This key does not open the photo: it was encrypted to another one.');
}

function read(text: string) {
  try {
    const envelope = JSON.parse(text) as Record<string, string>;
    // Programs may write the names in snake_case.
    const part = (name: string, other: string) => fromBase64((envelope[name] ?? envelope[other])!);
    return { encryptedKey: part('encryptedKey', 'encrypted_key'), iv: part('iv', 'iv'), encryptedData: part('encryptedData', 'encrypted_data') };
  } catch {
    throw new Closed('This file is no encrypted photo.');
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/\s/g, '')), character => character.charCodeAt(0));
}

/** What kind of photo begins like that: it may be shown as nothing else. */
function kindOf(start: Uint8Array): string {
  const text = String.fromCharCode(...start);
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('\x89PNG')) return 'image/png';
  if (text.startsWith('RIFF') && text.endsWith('WEBP')) return 'image/webp';
  return text.slice(4, 8) === 'ftyp' ? 'image/heic' : 'application/octet-stream';
}
