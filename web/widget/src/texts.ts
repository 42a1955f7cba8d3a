import ar from './texts/ar.json';
import de from './texts/de.json';
import en from './texts/en.json';
import es from './texts/es.json';
import fr from './texts/fr.json';
import hi from './texts/hi.json';
import it from './texts/it.json';
import ja from './texts/ja.json';
import nl from './texts/nl.json';
import pl from './texts/pl.json';
import pt from './texts/pt.json';
import zh from './texts/zh.json';

export type Texts = typeof en;

const languages: Record<string, Texts> = { ar, de, en, es, fr, hi, it, ja, nl, pl, pt, zh };

/** The words for an element: in the language of the part of the page that it is in, else in the browser's, else in English. */
export function textsFor(element: Element): { language: string; texts: Texts } {
  const wishes = [element.closest('[lang]')?.getAttribute('lang') ?? '', ...navigator.languages, 'en'];
  const language = wishes.map(wish => wish.split('-')[0]!.toLowerCase()).find(wish => Object.hasOwn(languages, wish)) ?? 'en';
  return { language, texts: languages[language] ?? en };
}

/** Fills the `{name}` hole of a text. */
export const fill = (text: string, value: string | number): string => text.replace(/\{\w+\}/, () => String(value));
