import { signal } from '@preact/signals';
import { language } from './state';
import { t } from './text';

/** Moves twice a minute, for times that are told by how long ago they were. */
export const now = signal(Date.now());
setInterval(() => { now.value = Date.now(); }, 30_000);

export const number = (value: number): string => new Intl.NumberFormat(language.value).format(value);

export const percent = (share: number): string =>
  new Intl.NumberFormat(language.value, { style: 'percent', maximumFractionDigits: share > 0.99 && share < 1 ? 1 : 0 }).format(share);

export function size(bytes: number): string {
  const [value, unit] = bytes < 1e3 ? [bytes, 'byte'] : bytes < 1e6 ? [bytes / 1e3, 'kilobyte'] : bytes < 1e9 ? [bytes / 1e6, 'megabyte'] : [bytes / 1e9, 'gigabyte'];
  return new Intl.NumberFormat(language.value, { style: 'unit', unit, unitDisplay: unit === 'byte' ? 'long' : 'short', maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

export function duration(milliseconds: number): string {
  const [value, unit] = milliseconds < 1_000 ? [milliseconds, 'millisecond'] : [milliseconds / 1_000, 'second'];
  return new Intl.NumberFormat(language.value, { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/** JSON in lines, with every number and text as it is written. */
export function inLines(json: string): string {
  let depth = 0;
  const line = (deeper: number) => `\n${'  '.repeat(depth += deeper)}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|\[\]|\{\}|[[\]{},:]/g, part =>
    part === '{' || part === '[' ? part + line(1) : part === '}' || part === ']' ? line(-1) + part : part === ',' ? part + line(0) : part === ':' ? ': ' : part);
}

/** To the second, in the person's own time zone. */
export const exact = (at: string): string =>
  new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at));

export const day = (date: string): string =>
  new Intl.DateTimeFormat(language.value, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(date));

export const hour = (at: string): string =>
  new Intl.DateTimeFormat(language.value, { weekday: 'short', hour: 'numeric', minute: '2-digit' }).format(new Date(at));

const steps: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3_600], ['minute', 60],
];

/** How long ago, or how long until, to the nearest minute, hour, day: nobody is helped by seconds that do not move. */
export function relative(at: string, from = now.value): string {
  const away = Date.parse(at) - from;
  // Rounded before its unit is chosen: what is a day but for a moment is a day.
  const seconds = Math.round(Math.abs(away) / 60_000) * 60;
  const [unit, length] = steps.find(([, length]) => seconds >= length) ?? ['second', 1];
  if (seconds === 0 && away <= 0) return t('just now');
  return new Intl.RelativeTimeFormat(language.value, { numeric: seconds === 0 ? 'auto' : 'always', style: 'short' })
    .format(Math.sign(away) * Math.round(seconds / length), unit);
}
