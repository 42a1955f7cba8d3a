import { Search } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import { Icon } from '../design/Icon';
import { address, setQuery } from './router';

/** What a list is narrowed by stands in the address: it can be shared, and the way back leads to it. */
export const filter = (name: string): string => address.value.searchParams.get(name) ?? '';

export function Filters({ placeholder, children }: { placeholder: string; children: ComponentChildren }) {
  const id = useId();
  const [words, setWords] = useState(filter('q'));
  useEffect(() => {
    const soon = setTimeout(() => { if (words !== filter('q')) setQuery({ q: words.trim() }); }, 250);
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
