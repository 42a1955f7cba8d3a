import { LoaderCircle, type IconNode } from 'lucide';
import type { ComponentChildren } from 'preact';
import { Icon } from './Icon';

interface Looks {
  readonly children?: ComponentChildren;
  readonly icon?: IconNode;
  /** The one thing to do here. */
  readonly primary?: boolean;
  /** Something will be gone. */
  readonly danger?: boolean;
  readonly plain?: boolean;
  /** Only the icon is seen; this is what it is called. */
  readonly label?: string;
}

interface ButtonProps extends Looks {
  readonly onClick?: () => void;
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly submit?: boolean;
  /** A button that was pressed keeps the focus while it is disabled: it is soon of use again. */
  readonly keepsFocus?: boolean;
  /** It has the focus when the page comes that it leads to, or the dialog. */
  readonly autofocus?: boolean;
  /** The id of the form that it submits, where that does not stand around it. */
  readonly form?: string;
}

const looks = ({ primary, danger, plain, label }: Looks) =>
  ['button', primary && 'primary', danger && 'danger', plain && 'plain', label && 'icon'].filter(Boolean).join(' ');

export function Button(props: ButtonProps) {
  const { children, icon, label, onClick, busy = false, disabled = false, submit = false, keepsFocus = false, autofocus = false, form } = props;
  const shown = busy ? LoaderCircle : icon;
  return (
    <button class={looks(props)} type={submit ? 'submit' : 'button'} form={form} onClick={onClick} disabled={disabled && !keepsFocus} aria-disabled={disabled && keepsFocus || undefined}
      autofocus={autofocus} aria-busy={busy} aria-label={label} title={label}>
      {shown && <Icon of={shown} />}
      {children}
    </button>
  );
}

/** Looks like a button, and leads somewhere. */
export function LinkButton(props: Looks & { readonly href: string; readonly download?: boolean; readonly newTab?: boolean }) {
  const { children, icon, label, href, newTab } = props;
  return (
    <a class={looks(props)} href={href} aria-label={label} title={label} {...(newTab ? { target: '_blank', rel: 'noopener' } : {})}>
      {icon && <Icon of={icon} />}
      {children}
    </a>
  );
}
