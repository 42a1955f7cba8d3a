import { headerText } from './attempt';
import type { Limits } from './limits';

export type Answer = 'right' | 'wrong' | 'tooMany' | 'failed';

export async function verify(api: string, password: string): Promise<Answer> {
  try {
    const response = await fetch(`${api}/verify-password`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ password }),
    });
    if (response.status === 429) return 'tooMany';
    if (!response.ok) return 'failed';
    return (await response.json() as { valid: boolean }).valid ? 'right' : 'wrong';
  } catch {
    return 'failed';
  }
}

interface SessionInfo {
  imagesCount: number;
  effectiveMaxImages: number;
  effectiveAllowedMimeTypes: string[];
  effectiveMaxImageSizeMb: number;
  effectiveMaxImageDimension: number | null;
}

/** The limits that a protected session withholds until the password is given. */
export async function limitsBehind(api: string, password: string): Promise<Limits> {
  const response = await fetch(`${api}/session`, { headers: { 'x-session-password': headerText(password) } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const info = await response.json() as SessionInfo;
  return {
    left: Math.max(0, info.effectiveMaxImages - info.imagesCount),
    types: info.effectiveAllowedMimeTypes,
    maxMegabytes: info.effectiveMaxImageSizeMb,
    maxSide: info.effectiveMaxImageDimension,
  };
}
