import { Search } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon } from '../design/Icon';
import { path, setQuery, shownAddress, shownPath } from './router';

/** What a list is narrowed by stands in the address: it can be shared, and the way back leads to it. */
export const filter = (name: string): string => shownAddress.value.searchParams.get(name) ?? '';

/** When a day begins where the person is, some days later; undefined for what is no day. */
export function startOf(day: string, later = 0): string | undefined {
  const [year, month, date] = day.split('-').map(Number);
  const instant = new Date(year ?? NaN, (month ?? NaN) - 1, (date ?? NaN) + later);
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString();
}

/** A day that a list begins or ends with. */
export function DayFilter({ name, label }: { name: 'from' | 'to'; label: string }) {
  const id = useId();
  return (
    <div>
      <label class="quiet small" for={id}>{label}</label>
      <input id={id} class="input" type="date" value={filter(name)} onChange={event => setQuery({ [name]: event.currentTarget.value })}
        {...(name === 'from' ? { max: filter('to') } : { min: filter('from') })} />
    </div>
  );
}

export function Filters({ placeholder, children }: { placeholder: string; children: ComponentChildren }) {
  const id = useId();
  const q = filter('q');
  const [words, setWords] = useState(q);
  // Something else may clear it; what this field has written itself is older than what was typed since.
  const written = useRef(q);
  useEffect(() => {
    if (q === written.current) return;
    written.current = q;
    setWords(q);
  }, [q]);
  useEffect(() => {
    const soon = setTimeout(() => {
      if (words.trim() === filter('q') || path.value !== shownPath.value) return;
      written.current = words.trim();
      setQuery({ q: written.current });
    }, 250);
    return () => clearTimeout(soon);
  }, [words]);
  return (
    <div class="filters" role="search">
      <div class="search">
        <Icon of={Search} />
        <label class="unseen" for={id}>{placeholder}</label>
        <input id={id} class="input" type="search" placeholder={placeholder} value={words} onInput={event => setWords(event.currentTarget.value)} />
      </div>
      {children}
    </div>
  );
}
