// Seals and opens envelopes with Node's own cryptography. Reads one JSON object from standard input, writes one to standard output:
// { publicKey, photo, hash } gives an envelope; { privateKey, envelope } gives { photo }. Photos are base64.
import { constants, createCipheriv, createDecipheriv, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

const input = JSON.parse(readFileSync(0, 'utf8'));
const padding = constants.RSA_PKCS1_OAEP_PADDING;

function seal({ publicKey, photo, hash }) {
  const key = randomBytes(32);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const data = Buffer.concat([cipher.update(Buffer.from(photo, 'base64')), cipher.final(), cipher.getAuthTag()]);
  return {
    encryptedKey: publicEncrypt({ key: publicKey, padding, oaepHash: hash }, key).toString('base64'),
    iv: iv.toString('base64'),
    encryptedData: data.toString('base64'),
    algorithm: 'RSA-OAEP+AES-256-GCM',
  };
}

function open({ privateKey, envelope }) {
  const key = privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256' }, Buffer.from(envelope.encryptedKey, 'base64'));
  const data = Buffer.from(envelope.encryptedData, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(envelope.iv, 'base64'));
  decipher.setAuthTag(data.subarray(-16));
  return { photo: Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()]).toString('base64') };
}

process.stdout.write(JSON.stringify(input.envelope ? open(input) : seal(input)));
