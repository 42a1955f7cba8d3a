import { t } from './text';

/** What the owner's program wrote to a session: names of its own, apart from those that Apertur gives. */
export function Metadata({ of }: { of: unknown }) {
  const entries = Object.entries(of ?? {});
  if (entries.length === 0) return null;
  return (
    <section class="card" aria-label={t('Metadata')}>
      <header><h2>{t('Metadata')}</h2></header>
      <dl class="facts body">
        {entries.map(([name, value]) => <><dt class="anywhere">{name}</dt><dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd></>)}
      </dl>
    </section>
  );
}
