import type { IconNode } from 'lucide';
import { h } from 'preact';

/** Lucide's drawings. They say nothing that the words beside them do not: screen readers skip them. */
export function Icon({ of }: { of: IconNode }) {
  return (
    <svg class="icon-svg" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {of.map(([name, attributes]) => h(name, attributes))}
    </svg>
  );
}
