import type { Words } from './text';

/** What the provider is called that people may sign in by; undefined when there is none. */
export const signOnName = document.getElementById('app')?.dataset['signOn'];

/** Leads to the provider, and from there back to where the person is. */
export const signOnAddress = (): string => `/dashboard/openid?return=${encodeURIComponent(location.pathname + location.search)}`;

/** Why somebody came back from there without being signed in: `OpenIdRefusal` in words. */
export const refusals: Readonly<Record<string, Words>> = {
  denied: '{name} did not let you in.',
  unreachable: '{name} cannot be reached at the moment. Try again in a few minutes.',
  failed: 'Signing in with {name} was not completed: it took too long, began in another browser, or was used before. Start again.',
  unverified: '{name} has not verified your e-mail address, so it cannot be told who you are here.',
  unknown: 'You have no account here. Ask to be invited with the e-mail address that you have at {name}.',
  disabled: 'Your account has been disabled.',
  link: 'There is an account with your e-mail address. Sign in with its password once to connect it; from then on {name} is enough.',
};
