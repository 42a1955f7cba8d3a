import { useState } from 'preact/hooks';
import { Check, Field, Select } from '../design/Field';
import type { Schemas } from './api/client';
import { heard, t, type Words } from './text';

type Type = Schemas['DestinationType'];
type ConfigField = Schemas['ConfigField'];

/** How a secret reads back; sent as it is, it changes nothing. */
const masked = '********';

/** What is filled in, as text: a form has nothing else. */
export type Values = Readonly<Record<string, string>>;

/** The fields of a type in one row: those of a group, which may be left out as a whole, under its name. */
const flat = (type: Type): ConfigField[] =>
  type.fields.flatMap(field => field.kind !== 'group' ? [field] : field.fields.map(inner => (
    { ...inner, name: `${field.name}.${inner.name}`, required: false, help: inner.help ?? (inner.required ? field.help : null) }
  )));

/** Whether a group is left out: what it cannot do without is not filled in. */
const isOut = (group: ConfigField, values: Values): boolean =>
  group.fields.some(inner => inner.required && !values[`${group.name}.${inner.name}`]);

export function useConfig(type: Type | undefined, config: Readonly<Record<string, unknown>> = {}) {
  const [typed, setTyped] = useState<Values>({});
  const before: Values = Object.fromEntries((type ? flat(type) : []).map(field => [field.name, written(field, valueOf(config, field.name))]));
  return { before, values: { ...before, ...typed }, set: (name: string, value: string) => setTyped(others => ({ ...others, [name]: value })) };
}

/** The form of a type of destination, drawn from what the type says of its fields: a new type appears by itself. */
export function ConfigFields({ type, values, set, wrong }: {
  type: Type; values: Values; set: (name: string, value: string) => void; wrong: ReadonlyMap<string, string>;
}) {
  const groups = type.fields.filter(field => field.kind === 'group');
  const opens = (name: string) => groups.some(group => group.fields.some(inner => inner.required && name === `${group.name}.${inner.name}`));
  // The rest of a group shows when it is wanted.
  const shown = flat(type).filter(field => opens(field.name) || !groups.some(group => field.name.startsWith(`${group.name}.`) && isOut(group, values)));
  const [first, more] = [shown.filter(field => field.required), shown.filter(field => !field.required)];
  const draw = (field: ConfigField) => <OneField key={field.name} field={field} value={values[field.name] ?? ''} set={value => set(field.name, value)} wrong={wrong.get(`config.${field.name}`)} />;
  return (
    <>
      {first.length > 0 && <div class="fields">{first.map(draw)}</div>}
      {more.length > 0 && (
        <details open={more.some(field => wrong.has(`config.${field.name}`)) || first.length === 0}>
          <summary>{t('More choices')}</summary>
          <div class="fields" style={{ marginTop: '1rem' }}>{more.map(draw)}</div>
        </details>
      )}
    </>
  );
}

// What no name of a technique is.
const values: Readonly<Record<string, Words>> = { none: 'Nothing', location: 'Location', all: 'All metadata' };

function OneField({ field, value, set, wrong }: { field: ConfigField; value: string; set: (value: string) => void; wrong: string | undefined }) {
  const [label, hint] = [heard(field.label), field.help === null ? undefined : heard(field.help)];
  if (field.kind === 'switch') return <Check label={label} checked={value === 'true'} onInput={on => set(String(on))} {...(hint ? { hint } : {})} />;
  if (field.allowed.length > 0) {
    const options = field.allowed.map(allowed => ({ value: allowed, label: values[allowed] === undefined ? allowed : t(values[allowed]) }));
    return <Select label={label} value={value} onInput={set} hint={hint} options={field.required || field.default !== null ? options : [{ value: '', label: field.name === 'rendition.format' ? t('Original, unchanged') : '–' }, ...options]} />;
  }
  const isLong = field.kind === 'document' || field.kind === 'map';
  const kept = field.secret && value === masked;
  return (
    <Field label={label} value={value} onInput={set} required={field.required} wrong={wrong} wide={isLong} autocomplete="off"
      type={isLong ? 'document' : field.kind === 'number' ? 'number' : field.kind === 'url' ? 'url' : field.secret ? 'password' : 'text'}
      {...(field.min === null ? {} : { min: field.min })} {...(field.max === null ? {} : { max: field.max })}
      hint={kept ? t('Kept as it is; write something to change it.') : field.kind === 'map' ? hint ?? t('One a line, as name: value.') : hint} />
  );
}

/** What the API is told: values of their kinds, and nothing for what was left empty. */
export function configOf(type: { readonly fields: readonly ConfigField[] }, values: Values): NonNullable<Schemas['DestinationRequest']['config']> {
  const config: Record<string, unknown> = {};
  for (const field of type.fields) {
    const text = values[field.name] ?? '';
    if (field.kind === 'group') config[field.name] = isOut(field, values) ? null : groupOf(field, values);
    else if (text === '') config[field.name] = null;
    else if (field.kind === 'number') config[field.name] = Number(text);
    else if (field.kind === 'switch') config[field.name] = text === 'true';
    else if (field.kind === 'map') config[field.name] = Object.fromEntries(text.split('\n').filter(line => line.includes(':')).map(line => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()]));
    else config[field.name] = field.kind === 'document' && text !== masked && text.trimStart().startsWith('{') ? parsed(text) : text;
  }
  // The description of the API says of it only that it is an object.
  return config as never;
}

/** The values of a group, as those of a type. */
const groupOf = (group: ConfigField, values: Values): unknown =>
  configOf(group, Object.fromEntries(group.fields.map(inner => [inner.name, values[`${group.name}.${inner.name}`] ?? ''])));

function valueOf(config: Readonly<Record<string, unknown>>, name: string): unknown {
  const [outer = '', inner] = name.split('.', 2);
  return inner === undefined ? config[outer] : (config[outer] as Readonly<Record<string, unknown>> | undefined)?.[inner];
}

function written(field: ConfigField, value: unknown): string {
  const known = value ?? field.default;
  if (known === null || known === undefined) return '';
  if (field.kind === 'map' && typeof known === 'object') return Object.entries(known).map(([name, text]) => `${name}: ${String(text)}`).join('\n');
  return typeof known === 'object' ? JSON.stringify(known, null, 2) : String(known);
}

function parsed(text: string): unknown {
  try { return JSON.parse(text); } catch { return text; }
}
