import { effect, signal } from '@preact/signals';
import type { Schemas } from './api/client';

export type Project = Schemas['MyProject'];
export type Role = Project['role'];

/** Everything that more than one page goes by. What belongs to one page lives and dies with it. */

/** Who is signed in; undefined until that is known, null when nobody is. */
export const person = signal<Schemas['User'] | null | undefined>(undefined);

/** Why nobody is, when somebody was. */
export const farewell = signal<'never' | 'ended' | 'elsewhere'>('never');

/** The projects that the person belongs to, and as what. */
export const projects = signal<readonly Project[] | undefined>(undefined);

/** The one that was looked at last. */
export const lastProject = kept<string>('project', '');

/** Which of the two kinds of data is shown. */
export const env = kept<'live' | 'test'>('env', 'live');

export const language = kept<'en' | 'fr' | 'es'>('language', preferredLanguage());

export const scheme = kept<'system' | 'light' | 'dark'>('scheme', 'system');

/** Short notes at the edge of the page. */
export const toasts = signal<readonly { id: number; text: string; kind: 'good' | 'bad' }[]>([]);

/** Private keys that open encrypted photos, as long as the page lives: the browser gives none of them out. */
export const openedKeys = signal<readonly CryptoKey[]>([]);

let lastToast = 0;

export function toast(text: string, kind: 'good' | 'bad' = 'good'): void {
  const id = ++lastToast;
  toasts.value = [...toasts.value, { id, text, kind }];
  setTimeout(() => dismiss(id), kind === 'good' ? 4_000 : 9_000);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter(each => each.id !== id);
}

export function signedOut(why: 'never' | 'ended' | 'elsewhere'): void {
  person.value = null;
  projects.value = undefined;
  farewell.value = why;
}

export const roleWords = { viewer: 'Viewer', developer: 'Developer', admin: 'Admin', owner: 'Owner' } as const satisfies Record<Role, string>;

const ranks: readonly Role[] = ['viewer', 'developer', 'admin', 'owner'];

/** Whether the person may do in a project what takes that role: what would be refused is not shown. */
export function may(role: Role, projectId: string): boolean {
  const mine = projects.value?.find(project => project.id === projectId)?.role;
  return mine !== undefined && ranks.indexOf(mine) >= ranks.indexOf(role);
}

export function rolesUpTo(role: Role): readonly Role[] {
  return ranks.slice(0, ranks.indexOf(role) + 1);
}

effect(() => {
  document.documentElement.lang = language.value;
  if (scheme.value === 'system') delete document.documentElement.dataset['scheme'];
  else document.documentElement.dataset['scheme'] = scheme.value;
});

/** A choice that this browser remembers. */
function kept<T extends string>(name: string, byDefault: T) {
  const key = `apertur.${name}`;
  const value = signal((localStorage.getItem(key) as T | null) ?? byDefault);
  effect(() => localStorage.setItem(key, value.value));
  return value;
}

function preferredLanguage(): 'en' | 'fr' | 'es' {
  const served = document.documentElement.lang;
  return served === 'fr' || served === 'es' ? served : 'en';
}
