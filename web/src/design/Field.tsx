import { h, type ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly type?: 'text' | 'email' | 'password' | 'number' | 'url' | 'datetime-local' | 'date' | 'document';
  readonly hint?: ComponentChildren;
  readonly wrong?: string | undefined;
  readonly required?: boolean;
  readonly autocomplete?: 'username' | 'current-password' | 'new-password' | 'one-time-code' | 'off';
  readonly placeholder?: string;
  readonly min?: number;
  readonly max?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly wide?: boolean;
  readonly autofocus?: boolean;
  readonly inputMode?: 'numeric';
}

/** One thing to fill in, with its name, what helps, and what is wrong with it. */
export function Field(props: FieldProps) {
  const { label, value, onInput, type = 'text', hint, wrong, wide, autofocus, required = false, ...rest } = props;
  const id = useId();
  const input = {
    id, value, required, ...rest,
    class: 'input',
    'aria-invalid': wrong !== undefined,
    ...(hint || wrong ? { 'aria-describedby': `${id}-about` } : {}),
    // The attribute for dialogs, which look for it when they open.
    ...(autofocus ? { ref: focus, autofocus: true } : {}),
    onInput: (event: Event) => onInput((event.target as HTMLInputElement).value),
  };
  return (
    <div class={wide ? 'field wide' : 'field'}>
      <label for={id}>{label}</label>
      {type === 'document' ? h('textarea', { ...input, spellcheck: false }) : h('input', { ...input, type })}
      <About id={id} hint={hint} wrong={wrong} />
    </div>
  );
}

export interface Option { readonly value: string; readonly label: string }

export function Select(props: {
  label: string; value: string; options: readonly Option[]; onInput: (value: string) => void; hint?: ComponentChildren; unseenLabel?: boolean;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={props.unseenLabel ? 'unseen' : undefined}>{props.label}</label>
      <select id={id} class="input" value={props.value} onInput={event => props.onInput(event.currentTarget.value)}
        aria-describedby={props.hint ? `${id}-about` : undefined}>
        {props.options.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
      </select>
      <About id={id} hint={props.hint} />
    </div>
  );
}

export function Check({ label, checked, onInput, hint }: { label: ComponentChildren; checked: boolean; onInput: (checked: boolean) => void; hint?: string }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onInput={event => onInput(event.currentTarget.checked)} />
      <span>{label}{hint && <span class="quiet small"><br />{hint}</span>}</span>
    </label>
  );
}

export function Switch({ label, checked, busy = false, onInput }: { label: string; checked: boolean; busy?: boolean; onInput: (checked: boolean) => void }) {
  return (
    <label class="switch" title={label}>
      <input type="checkbox" role="switch" checked={checked} aria-disabled={busy} aria-label={label}
        onClick={event => { if (busy) event.preventDefault(); }} onInput={event => onInput(event.currentTarget.checked)} />
      <i />
    </label>
  );
}

/** One of a few, all of them in sight. */
export function Segments<T extends string>({ label, value, options, onInput }: {
  label: string; value: T; options: readonly { value: T; label: ComponentChildren }[]; onInput: (value: T) => void;
}) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(option => (
        <button key={option.value} type="button" aria-pressed={option.value === value} onClick={() => onInput(option.value)}>{option.label}</button>
      ))}
    </div>
  );
}

function About({ id, hint, wrong }: { id: string; hint?: ComponentChildren; wrong?: string | undefined }) {
  return hint || wrong
    ? <span id={`${id}-about`} class={wrong ? 'wrong' : 'hint'}>{wrong ?? hint}</span>
    : null;
}

const focus = (element: HTMLElement | null): void => element?.focus();
