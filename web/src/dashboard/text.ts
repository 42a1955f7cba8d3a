import { signal } from '@preact/signals';
import type fr from './texts/fr.json';
import { language } from './state';

/**
 * Words in the person's language. The English ones stand in the code where they are shown; the other languages are tables from them, and
 * the compiler refuses words that a table does not have.
 */
export type Words = keyof typeof fr;

type Table = Readonly<Record<Words, string>>;

const table = signal<Table | null>(null);

const tables: Readonly<Record<string, () => Promise<{ default: Table }>>> = {
  fr: () => import('./texts/fr.json'),
  es: () => import('./texts/es.json'),
};

/** Fetches the words of the chosen language; English needs none. */
export async function loadWords(): Promise<void> {
  const load = tables[language.value];
  table.value = load === undefined ? null : (await load()).default;
}

type Holes = Readonly<Record<string, string | number>>;

export function t(words: Words, holes: Holes = {}): string {
  const text = table.value?.[words] ?? words;
  return text.replace(/\{(\w+)\}/g, (hole, name: string) => String(holes[name] ?? hole));
}

/** Words that the server gives, such as the name of a destination's field: in the person's language where its table has them. */
export const heard = (words: string): string => t(words as Words);

/** The same for a number of things; `{n}` is the number, as it is written. */
export function count(n: number, one: Words, other: Words, holes: Holes = {}): string {
  const form = new Intl.PluralRules(language.value).select(n) === 'one' ? one : other;
  return t(form, { n: new Intl.NumberFormat(language.value).format(n), ...holes });
}
