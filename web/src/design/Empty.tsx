import type { IconNode } from 'lucide';
import type { ComponentChildren } from 'preact';
import { Icon } from './Icon';

/** Where nothing is yet: what would be here, and what to do next. */
export function Empty({ icon, title, children, action }: { icon: IconNode; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="badge"><Icon of={icon} /></span>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action && <div class="row">{action}</div>}
    </div>
  );
}

/** Where something will be in a moment. */
export const Busy = () => <div class="card"><p class="body"><span class="bone" style={{ width: '60%' }} /></p></div>;
