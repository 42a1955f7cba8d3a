import { Problem, problemOf, type Schemas } from './client';
import { person, signedOut } from '../state';

/** What the server answers who signs in here: see `DashboardSessionApi`. The refresh token stays in a cookie that no script can read. */
interface Session {
  readonly token: string;
  readonly expiresIn: number;
  readonly user: Schemas['User'];
}

const address = '/dashboard/session';
const otherTabs = new BroadcastChannel('apertur');

let current: Session | null = null;
let endsAt = 0;
let renewal: Promise<string> | null = null;

otherTabs.onmessage = () => leave('elsewhere');

/** A token that still counts for a while. */
export async function token(): Promise<string> {
  return current !== null && performance.now() < endsAt ? current.token : renew();
}

/** Another token. However many ask at once, the cookie is used once. */
export function renew(): Promise<string> {
  renewal ??= ask('PUT').catch((problem: unknown) => {
    if (problem instanceof Problem && problem.status !== 0) leave(current === null ? 'never' : 'ended');
    throw problem;
  }).finally(() => { renewal = null; });
  return renewal;
}

export async function signIn(email: string, password: string, totp: string): Promise<void> {
  await ask('POST', { email, password, ...(totp === '' ? {} : { totp }) });
}

export async function signOut(): Promise<void> {
  await ask('DELETE');
  otherTabs.postMessage('signed out');
  leave('never');
}

async function ask(method: string, body?: object): Promise<string> {
  const response = await fetch(address, {
    method,
    headers: { 'X-Apertur-Dashboard': '1', ...(body ? { 'Content-Type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }).catch(() => { throw new Problem(0, 'OFFLINE', 'The server cannot be reached.'); });
  if (response.status === 204) return '';
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw problemOf(answer, response.status);
  current = answer as Session;
  endsAt = performance.now() + (current.expiresIn - 30) * 1_000;
  person.value = current.user;
  return current.token;
}

function leave(why: 'never' | 'ended' | 'elsewhere'): void {
  current = null;
  signedOut(why);
}
