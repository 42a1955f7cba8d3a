import type { Schemas } from './api/client';
import { filter, startOf } from './Filters';
import { address } from './router';
import { env } from './state';

type Row = Schemas['UploadRow'];

const filters = ['q', 'status', 'source', 'destination', 'session', 'from', 'to'] as const;

/** What the list of photos is asked for, as the address has it. */
export function listQuery(projectId: string) {
  const [q, status, source, destinationId, sessionId] = [filter('q'), filter('status'), filter('source'), filter('destination'), filter('session')];
  const [from, to] = [startOf(filter('from')), startOf(filter('to'), 1)];
  return {
    projectId, env: env.value,
    ...(q ? { q } : {}), ...(status ? { status: status as Row['status'] } : {}), ...(source ? { source: source as Row['source'] & 'camera' } : {}),
    ...(destinationId ? { destinationId } : {}), ...(sessionId ? { sessionId } : {}), ...(from ? { from } : {}), ...(to ? { to } : {}),
  };
}

/** Those filters, and how the list is looked at, to be carried to one of its photos and back. */
export function carried(more: Readonly<Record<string, string>> = {}): string {
  const kept = [...filters, 'view'].flatMap(name => filter(name) ? [[name, filter(name)] as [string, string]] : []);
  const query = new URLSearchParams([...kept, ...Object.entries(more)]).toString();
  return query && `?${query}`;
}

export const isFiltered = (): boolean => filters.some(name => address.value.searchParams.get(name));
