/** Encrypts one photo into an envelope that only the holder of the private key can open. */
export type Seal = (photo: Blob) => Promise<Blob>;

/** Browsers offer cryptography to pages over HTTPS and on loopback only. */
export const canSeal = (): boolean => window.isSecureContext && typeof crypto.subtle === 'object';

/** SHA-256 of a key (PEM), hex: what the link of whoever owns the key names it by. */
export async function fingerprint(pem: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', derOf(pem));
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Makes what seals photos to one RSA key (PEM, SubjectPublicKeyInfo): a fresh AES-256-GCM key for each photo, wrapped with RSA-OAEP by
 * SHA-256. The tag stands at the end of the ciphertext.
 */
export function sealTo(pem: string): Seal {
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
