import type { IconNode } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './Icon';

export interface MenuItem {
  readonly label: string;
  readonly icon?: IconNode;
  readonly href?: string;
  readonly onClick?: () => void;
  readonly danger?: boolean;
}

/** More to do than there is room for. Arrows move, Escape closes. */
export function Menu({ trigger, label, items, placement = '' }: {
  trigger: ComponentChildren; label: string; items: readonly MenuItem[]; placement?: string;
}) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  // Before the next key is pressed.
  useLayoutEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const close = (event: Event) => { if (!root.current?.contains(event.target as Node)) setOpen(false); };
    addEventListener('mousedown', close);
    return () => removeEventListener('mousedown', close);
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    const all = [...root.current!.querySelectorAll<HTMLElement>('[role=menuitem]')];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && open) {
      event.preventDefault();
      all[(all.indexOf(document.activeElement as HTMLElement) + step + all.length) % all.length]?.focus();
    } else if (event.key === 'Escape' && open) {
      event.stopPropagation();
      setOpen(false);
      root.current!.querySelector('button')?.focus();
    }
  };
  return (
    <div class={`menu ${placement}`} ref={root} onKeyDown={onKeyDown}>
      <button type="button" class="button plain" aria-haspopup="menu" aria-expanded={open} title={label} onClick={() => setOpen(!open)}><span class="unseen">{label}</span>{trigger}</button>
      {open && (
        // The focus goes back first: a dialog that opens now gives it back to where it was.
        <div role="menu" aria-label={label} onClickCapture={() => root.current!.querySelector('button')?.focus()} onClick={() => setOpen(false)}>
          {items.map(item => {
            const content = <>{item.icon && <Icon of={item.icon} />}{item.label}</>;
            return item.href !== undefined
              ? <a key={item.label} role="menuitem" href={item.href}>{content}</a>
              : <button key={item.label} type="button" role="menuitem" class={item.danger ? 'danger' : undefined} onClick={item.onClick}>{content}</button>;
          })}
        </div>
      )}
    </div>
  );
}
