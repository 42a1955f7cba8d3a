import { byId } from './dom';
import { fill, type Texts } from './texts';

/** Encrypts one photo into an envelope that only the holder of the private key can open. */
export type Seal = (photo: Blob) => Promise<Blob>;

/**
 * How photos are encrypted, which is said on the page; words when they cannot be as they must.
 * @param pem The key that they must be encrypted to; null when they are sent as they are.
 * @param named By its fingerprint, the only key that the link allows.
 */
export async function sealing(texts: Texts, pem: string | null, named: string | undefined): Promise<Seal | string> {
  if (pem === null) return texts.sealingWrongKey;
  if (!canSeal()) return texts.sealingNeedsHttps;
  const own = await fingerprint(pem);
  if (named !== undefined && named !== own) return texts.sealingWrongKey;
  const line = byId('sealing');
  line.hidden = false;
  line.textContent = fill(named === undefined ? texts.sealed : texts.sealedAndChecked, { key: own.slice(0, 16).replace(/(.{4})(?=.)/g, '$1 ') });
  return sealTo(pem);
}

/** Browsers offer cryptography to pages over HTTPS and on loopback only. */
const canSeal = (): boolean => window.isSecureContext && typeof crypto.subtle === 'object';

/** SHA-256 of a key (PEM), hex: what the link of whoever owns the key names it by. */
async function fingerprint(pem: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', derOf(pem));
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Makes what seals photos to one RSA key (PEM, SubjectPublicKeyInfo): a fresh AES-256-GCM key for each photo, wrapped with RSA-OAEP by
 * SHA-256. The tag stands at the end of the ciphertext.
 */
function sealTo(pem: string): Seal {
  const key = crypto.subtle.importKey('spki', derOf(pem), { name: 'RSA-OAEP', hash: 'SHA-256' }, false, ['wrapKey']);
  // Awaited with the first photo, which then tells what is wrong.
  key.catch(() => undefined);
  return async photo => {
    const aes = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const wrapped = await crypto.subtle.wrapKey('raw', aes, await key, { name: 'RSA-OAEP' });
    const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, tagLength: 128 }, aes, await photo.arrayBuffer());
    return new Blob([
      `{"encryptedKey":"${base64(wrapped).join('')}","iv":"${base64(iv.buffer).join('')}","encryptedData":"`, ...base64(data),
      '","algorithm":"RSA-OAEP+AES-256-GCM"}',
    ], { type: 'application/json' });
  };
}

function derOf(pem: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, '')), char => char.charCodeAt(0));
}

/** In pieces: a function takes no million arguments, and each piece but the last encodes without padding. */
function base64(buffer: ArrayBuffer): string[] {
  const size = 3 * 8192;
  const pieces: string[] = [];
  for (let at = 0; at < buffer.byteLength; at += size) {
    pieces.push(btoa(String.fromCharCode(...new Uint8Array(buffer, at, Math.min(size, buffer.byteLength - at)))));
  }
  return pieces;
}
