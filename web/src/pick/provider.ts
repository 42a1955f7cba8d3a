import type en from '../texts/en.json';

/** Stands in the page as JSON. */
export interface PageData {
  /** As in the API. */
  source: string;
  /** What people call it. */
  title: string;
  /** This server as it is registered there. */
  ids: Record<string, string>;
  addresses: Record<string, string>;
  /** Where it sends people back to who have signed in. */
  return: string;
  texts: { [Key in Extract<keyof typeof en, `pick.${string}`>]: string };
}

/** What somebody has picked, and what shows that it may be fetched. */
export interface Picked {
  picked: { url: string; name: string }[];
  token?: string;
}

/** What came of it instead, as its text is called. */
export class Trouble extends Error {
  readonly kind: 'nothing' | 'blocked' | 'refused' | 'unreachable';

  constructor(kind: Trouble['kind']) {
    super(kind);
    this.kind = kind;
  }
}

/** Opens the picker. To be called while a button is pressed, since it may open a window. */
export type Pick = () => Promise<Picked>;

/** Loads what the picker needs; rejects when the provider cannot be reached. */
export type Prepare = (data: PageData) => Promise<Pick>;

/** As the upload page has one; shared, it would be a file more that phones wait for there. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

export function loadScript(src: string, attributes: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
    script.onload = () => resolve();
    script.onerror = () => reject(new Trouble('unreachable'));
    script.src = src;
    document.head.append(script);
  });
}

/** Of what the provider's script has made. */
export function made<T>(name: string): T {
  const thing = (window as unknown as Record<string, T | undefined>)[name];
  if (thing === undefined) throw new Trouble('unreachable');
  return thing;
}

/** The endings of photos, by which pickers that know no types choose what to show. */
export const endings = ['.jpg', '.jpeg', '.png', '.webp', '.heic', '.heif'];
