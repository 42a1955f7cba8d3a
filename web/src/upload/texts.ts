import type en from '../texts/en.json';

/** The page's words in the chosen language, handed over by the server with the page, but for those that only the server writes or a part loads by itself. */
export type Texts = { [Key in Exclude<keyof typeof en, `${'page' | 'web' | 'pick'}.${string}`>]: string };

/** Fills the `{name}` holes of a text. */
export function fill(text: string, values: Record<string, string | number | undefined>): string {
  return text.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

/** English, French and Spanish share one rule for the counts of this page, but French also counts none as one. */
export function plural(one: string, other: string, count: number): string {
  const isOne = count === 1 || (count === 0 && document.documentElement.lang === 'fr');
  return isOne ? one : other;
}
