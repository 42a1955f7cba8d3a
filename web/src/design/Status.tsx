import { t, type Words } from '../dashboard/text';

type Tone = 'good' | 'warn' | 'bad' | 'info' | 'plain';

// Every state that the API names, in the person's words.
const states: Readonly<Record<string, readonly [Tone, Words]>> = {
  pending: ['info', 'Waiting'],
  active: ['good', 'Open'],
  completed: ['plain', 'Completed'],
  expired: ['plain', 'Expired'],
  failed: ['bad', 'Failed'],
  stored_only: ['plain', 'Stored'],
  delivered: ['good', 'Delivered'],
  partial: ['warn', 'Partly delivered'],
  sending: ['info', 'Sending'],
  sent: ['good', 'Delivered'],
  retrying: ['warn', 'Trying again'],
  unopened: ['info', 'Not opened yet'],
  on: ['good', 'On'],
  off: ['plain', 'Off'],
  disabled: ['bad', 'Switched off after failures'],
  attention: ['bad', 'Needs attention'],
};

export function Status({ of }: { of: string }) {
  const [tone, words] = states[of] ?? ['plain', null];
  return <span class={`status ${tone}`}>{words === null ? of : t(words)}</span>;
}

/** A session that nobody has opened waits for people, not for a machine. */
export const sessionState = (status: string): string => status === 'pending' ? 'unopened' : status;

export function Tags({ of }: { of: readonly unknown[] | null | undefined }) {
  return <>{of?.map((tag, index) => <span key={index} class="tag" title={String(tag)}>{String(tag)}</span>)}</>;
}
