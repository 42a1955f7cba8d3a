import createClient from 'openapi-fetch';
import type { components, paths } from './schema';
import { renew, token } from './session';

export type Schemas = components['schemas'];

/** A refusal in the words of the server, or what became of a request that got no answer. */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly fields: ReadonlyMap<string, string> = new Map()) {
    super(message);
  }
}

/** Adds who asks. A token that has just ended is renewed once, without anybody noticing. */
export async function authorized(request: Request): Promise<Response> {
  const again = request.clone();
  request.headers.set('Authorization', `Bearer ${await token()}`);
  const response = await send(request);
  if (response.status !== 401) return response;
  again.headers.set('Authorization', `Bearer ${await renew()}`);
  return send(again);
}

async function send(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new Problem(0, 'OFFLINE', 'The server cannot be reached.');
  }
}

/** The public API, typed from its own description. */
export const api = createClient<paths>({ baseUrl: location.origin, fetch: authorized });

/** What the API answered; throws a {@link Problem} when it refused. */
export async function ok<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(error, response.status);
  return data as T;
}

/** Bytes of the API, such as a picture, which a plain address could not show: it would lack the token. */
export async function bytes(address: string, signal?: AbortSignal): Promise<Blob> {
  const response = await authorized(new Request(address, signal ? { signal } : {}));
  if (!response.ok) throw problemOf(await response.json().catch(() => null), response.status);
  return response.blob();
}

export function problemOf(body: unknown, status: number): Problem {
  const error = (body ?? {}) as Partial<Schemas['Error']>;
  return new Problem(
    status, error.code ?? 'UNKNOWN', error.message ?? `The server answered ${status}.`,
    new Map((error.errors ?? []).map(each => [each.field, each.message])));
}
