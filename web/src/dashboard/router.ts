import { computed, signal } from '@preact/signals';

/** Where the person is: the address bar, as state. Links work as links; this only spares loading the page anew. */
export const address = signal(new URL(location.href));

export const path = computed(() => address.value.pathname.replace(/\/+$/, '') || '/');

/** The path of the page that is on screen: another address shows it until its script is there. */
export const shownPath = signal(path.value);

let before = address.value;

/** The address as that page knows it: what is asked of the next page is not asked of this one. */
export const shownAddress = computed<URL>(() => path.value === shownPath.value ? before = address.value : before);

export function go(to: string, how: 'push' | 'replace' = 'push'): void {
  const url = new URL(to, location.href);
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  address.value = url;
}

/** Changes one part of the query in place: filters belong to the address, but not to the way back. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  go(url.href, 'replace');
}

/** The named parts of an address that a pattern such as `/p/:project/sessions/:id` fits; null when it does not. */
export function match(pattern: string, at: string): Readonly<Record<string, string>> | null {
  const [wanted, given] = [pattern.split('/'), at.split('/')];
  if (wanted.length !== given.length) return null;
  const parts: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) parts[part.slice(1)] = decodeURIComponent(value);
    else if (part !== value) return null;
  }
  return parts;
}

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node): node is HTMLAnchorElement => node instanceof HTMLAnchorElement);
  if (!link || link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return;
  if (link.pathname !== '/' && link.pathname !== '/account' && !/^\/(p\/|admin(\/|$))/.test(link.pathname)) return;
  // A place on this page is the browser's to go to, with the focus.
  if (link.hash !== '' && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  go(link.href);
}

addEventListener('popstate', () => {
  // What nobody will be shown again stays until it was saved.
  if (document.querySelector('dialog[data-firm]')) history.pushState(null, '', address.value);
  else address.value = new URL(location.href);
});
addEventListener('click', follow);
