import { fill, plural, type Texts } from './texts';

/** What the session still takes, as the server stated it when the page was made or the password was given. */
export interface Limits {
  /** Photos that may still arrive. */
  left: number;
  /** Media types; `image/heic` stands for HEIF too. */
  types: string[];
  maxMegabytes: number;
  /** Pixels of the longer side. */
  maxSide: number | null;
}

const names: Record<string, string> = {
  'image/jpeg': 'JPEG', 'image/png': 'PNG', 'image/webp': 'WebP', 'image/heic': 'HEIC',
};

export const typeNames = (limits: Limits): string => limits.types.map(type => names[type] ?? type).join(', ');

export function limitsLine(texts: Texts, limits: Limits): string {
  const parts = [
    fill(plural(texts.leftOne, texts.leftOther, limits.left), { n: limits.left }),
    typeNames(limits),
    fill(texts.sizeEach, { n: limits.maxMegabytes }),
  ];
  if (limits.maxSide !== null) parts.push(fill(texts.sideEach, { n: limits.maxSide }));
  return parts.join(' · ');
}

/** Which text says why this file need not be sent at all, or null. The server decides in the end: it looks at the bytes. */
export function refusalBeforeSending(limits: Limits, file: File): keyof Texts | null {
  if (file.size === 0) return 'empty';
  if (file.size > limits.maxMegabytes * 1024 * 1024) return 'tooLarge';
  // Browsers that do not know HEIC leave the type empty: then only the bytes can tell.
  const type = file.type.replace('image/heif', 'image/heic');
  if (type !== '' && !limits.types.includes(type)) return 'wrongType';
  return null;
}
