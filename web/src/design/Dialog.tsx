import { X } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../dashboard/text';
import { Button } from './Button';
import { Refusal } from './Notice';
import type { Act } from '../dashboard/load';

/** Opens a dialog in front of the page, which keeps the focus in it; what had the focus gets it back when the dialog goes. */
export function useModal() {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const [element, opener] = [dialog.current!, document.activeElement as HTMLElement | null];
    element.showModal();
    return () => {
      element.close();
      // The browser does so only as long as the dialog is in the page.
      opener?.focus();
    };
  }, []);
  return dialog;
}

/**
 * A matter of its own in front of the page. What is filled in can be left as it was, beside each button that does something with it. A firm one is closed
 * by none of the ways that all of them share: it has something to lose.
 */
export function Dialog({ title, onClose, children, onSubmit, broad, firm = false, actions }: {
  title: string; onClose: () => void; children: ComponentChildren; onSubmit?: () => void; broad?: boolean; firm?: boolean; actions?: ComponentChildren;
}) {
  const close = () => { if (!firm) onClose(); };
  const dialog = useModal();
  const id = useId();
  const content = (
    <>
      <header><h2 id={id}>{title}</h2><Button plain icon={X} label={t('Close')} disabled={firm} onClick={close} /></header>
      <div class="body">{children}</div>
      {actions && <footer>{onSubmit && <Button disabled={firm} onClick={close}>{t('Cancel')}</Button>}{actions}</footer>}
    </>
  );
  return (
    <dialog ref={dialog} class={broad ? 'dialog broad' : 'dialog'} aria-labelledby={id} data-firm={firm || undefined}
      onCancel={event => { event.preventDefault(); close(); }}
      // Browsers ask before the first Escape alone; the second closes, whatever the answer was.
      onClose={() => { if (firm) dialog.current?.showModal(); }}
      onMouseDown={event => { if (event.target === dialog.current) close(); }}>
      {onSubmit
        ? <form onSubmit={event => { event.preventDefault(); onSubmit(); }}>{content}</form>
        : <div class="sheet">{content}</div>}
    </dialog>
  );
}

/** Something that nobody will be shown again: only the button below it closes it, and the page asks before it goes. */
export function Once({ title, children, done, onClose }: { title: string; children: ComponentChildren; done: string; onClose: () => void }) {
  useEffect(() => {
    const stay = (event: Event) => event.preventDefault();
    addEventListener('beforeunload', stay);
    return () => removeEventListener('beforeunload', stay);
  }, []);
  return <Dialog title={title} firm onClose={onClose} actions={<Button primary onClick={onClose}>{done}</Button>}>{children}</Dialog>;
}

/** Asks before something is gone for good, and says what. */
export function Confirm({ title, children, action, act, onConfirm, onClose }: {
  title: string; children: ComponentChildren; action: string; act: Act; onConfirm: () => void; onClose: () => void;
}) {
  return (
    <Dialog title={title} onClose={onClose} onSubmit={onConfirm} actions={<Button primary danger submit busy={act.busy}>{action}</Button>}>
      <p>{children}</p>
      <Refusal of={act.problem} />
    </Dialog>
  );
}
