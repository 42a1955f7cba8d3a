import type { Answers, Asked } from './attempt';
import { byId, make } from './dom';
import { fill, type Texts } from './texts';

// As the server makes them, see UploadPage.cs.
const inputs = {
  name: ['text', 'name', 200],
  email: ['email', 'email', 254],
  phone: ['tel', 'tel', 40],
  reference: ['text', 'off', 200],
  note: ['', 'off', 1000],
} as const;

type Input = HTMLInputElement | HTMLTextAreaElement;

const inputOf = (asked: Asked): Input => byId(`ask-${asked.field}`) as Input;

/** Shows what the session asks for now. What is there already, and what was typed, stays. */
export function show(texts: Texts, ask: readonly Asked[], known: Answers): void {
  const place = byId('questions');
  const shown = Array.from(place.querySelectorAll<Input>('input, textarea'), input => input.name);
  // Taking an element out and in again would take the focus away.
  if (shown.join() !== ask.map(each => each.field).join()) {
    place.replaceChildren(...ask.map(each => document.getElementById(`ask-${each.field}`)?.parentElement ?? build(each)));
  }
  for (const each of ask) {
    const input = inputOf(each);
    const label = texts[`ask.${each.field}`];
    input.required = each.required;
    input.labels![0]!.textContent = each.required ? label : fill(texts['ask.optional'], { field: label });
    if (input.value === '') input.value = known[each.field] ?? '';
  }
}

function build({ field }: Asked): HTMLElement {
  const [type, autocomplete, maxLength] = inputs[field];
  const id = `ask-${field}`;
  const common = { id, name: field, maxLength, autocomplete } as const;
  const input = field === 'note' ? make('textarea', { ...common, rows: 3 }) : make('input', { ...common, type });
  const error = make('p', { id: `${id}-error`, className: 'bad' });
  error.setAttribute('role', 'alert');
  input.setAttribute('form', 'upload');
  input.setAttribute('aria-describedby', error.id);
  return make('div', { className: 'field' }, make('label', { htmlFor: id }), input, error);
}

/** What stands there, complete or not. */
export function typed(ask: readonly Asked[]): Answers {
  return Object.fromEntries(ask.map(each => [each.field, inputOf(each).value.trim()]).filter(([, text]) => text !== ''));
}

/** Whether all of it is as it must be. If not, and it is to be said, each field says what is missing, and the first has the focus. */
export function check(texts: Texts, ask: readonly Asked[], say: boolean): boolean {
  let first: Input | null = null;
  for (const each of ask) {
    const input = inputOf(each);
    const problem = input.value.trim() === ''
      ? each.required ? fill(texts['ask.missing'], { field: texts[`ask.${each.field}`] }) : ''
      : input.validity.typeMismatch ? texts['ask.wrongEmail'] : '';
    if (problem !== '') first ??= input;
    if (!say && problem !== '') continue;
    byId(`ask-${each.field}-error`).textContent = problem;
    input.setAttribute('aria-invalid', String(problem !== ''));
  }
  if (say) (first as Input | null)?.focus();
  return first === null;
}
