import { ChevronLeft } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Icon } from '../design/Icon';

/** What a page is about, in the page and in the browser's title; and what can be done with the whole of it. */
export function Head({ title, back, status, children }: {
  title: string; back?: readonly [string, string]; status?: ComponentChildren; children?: ComponentChildren;
}) {
  useEffect(() => { document.title = `${title} · Apertur`; }, [title]);
  return (
    <header class="head">
      <div class="grow">
        {back && <a class="back" href={back[0]}><Icon of={ChevronLeft} />{back[1]}</a>}
        <div class="row"><h1 tabIndex={-1}>{title}</h1>{status}</div>
      </div>
      <div class="row">{children}</div>
    </header>
  );
}
