import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide';
import type { ComponentChildren } from 'preact';
import type { Problem } from '../dashboard/api/client';
import { t } from '../dashboard/text';
import { Icon } from './Icon';

const icons = { bad: CircleAlert, warn: TriangleAlert, info: Info, good: CircleCheck };

export type Kind = keyof typeof icons;

/** Something to be read before the rest, with what can be done about it. */
export function Notice({ kind, children, action }: { kind: Kind; children: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`}>
      <Icon of={icons[kind]} />
      <div class="grow anywhere">{children}</div>
      {action}
    </div>
  );
}

/** Why something that a person has just tried did not work. */
export function Refusal({ of }: { of: Problem | undefined }) {
  return <div role="alert">{of && <Notice kind="bad">{inWords(of)}</Notice>}</div>;
}

export function inWords(problem: Problem): string {
  switch (problem.code) {
    case 'OFFLINE': return t('The server cannot be reached. Check the connection and try again.');
    case 'FORBIDDEN': return t('Your role does not allow this any more.');
    case 'NOT_FOUND': return t('This does not exist, or you have no access to it any more.');
    default: return problem.message;
  }
}
