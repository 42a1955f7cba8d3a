import { Download, ScrollText } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Empty } from '../../design/Empty';
import { Refusal } from '../../design/Notice';
import { api, ok, type Schemas } from '../api/client';
import { filter, Filters } from '../Filters';
import { exact } from '../format';
import { Head } from '../Head';
import { useAct } from '../load';
import { save } from '../save';
import { t } from '../text';
import { Time } from '../../design/Time';

type Entry = Schemas['AuditRow'];

const enough = 10_000;

/** Who changed what, and when. */
export default function Audit({ project }: { project: string }) {
  const [entries, setEntries] = useState<readonly Entry[]>();
  const [next, setNext] = useState<string | null>(null);
  const act = useAct();
  const ask = (cursor: string | null, limit: number) =>
    ok(api.GET('/api/v1/projects/{projectId}/audit', { params: { path: { projectId: project }, query: { limit, ...(cursor === null ? {} : { cursor }) } } }));
  const more = (before: readonly Entry[], cursor: string | null) => act.run(async () => {
    const page = await ask(cursor, 100);
    setEntries([...before, ...page.entries]);
    setNext(page.next);
  });
  useEffect(() => { void more([], null); }, [project]);

  const words = filter('q').toLowerCase();
  const fits = (entry: Entry) => [entry.action, entry.actor.name, entry.thingId, entry.address].some(text => text?.toLowerCase().includes(words));
  const shown = entries?.filter(fits);
  const download = () => act.run(async () => {
    const all: Entry[] = [];
    for (let cursor: string | null = null; ;) {
      const page: Schemas['AuditPage'] = await ask(cursor, 200);
      all.push(...page.entries.filter(fits));
      cursor = page.next;
      if (cursor === null || all.length >= enough) break;
    }
    save('audit.csv', spreadsheet([['time', 'actor_type', 'actor', 'action', 'thing', 'address'],
      ...all.map(each => [each.createdAt, each.actor.type, each.actor.name, each.action, each.thingId ?? '', each.address ?? ''])]));
  });
  return (
    <>
      <Head title={t('Audit log')}><Button icon={Download} busy={act.busy} onClick={() => void download()}>{t('Export CSV')}</Button></Head>
      <div class="stack">
        <Filters placeholder={t('Search by person, act or id')}>{null}</Filters>
        <Refusal of={act.problem} />
        <div class="card">
          {shown?.length === 0
            ? <Empty icon={ScrollText} title={words === '' ? t('Nothing has been changed yet') : t('Nothing found')} />
            : (
              <table class="table cards" aria-label={t('Audit log')}>
                <thead><tr><th>{t('Action')}</th><th>{t('Who')}</th><th>{t('Target')}</th><th>{t('From')}</th><th>{t('When')}</th></tr></thead>
                <tbody>
                  {shown?.map(entry => (
                    <tr key={entry.id}>
                      <td><code>{entry.action}</code></td>
                      <td data-label={t('Who')}><span class="anywhere">{entry.actor.name}</span></td>
                      <td data-label={t('Target')}><code title={entry.thingId ?? undefined}>{entry.thingId?.slice(0, 13) ?? '–'}</code></td>
                      <td data-label={t('From')}><span>{entry.address ?? '–'}</span></td>
                      <td data-label={t('When')}><span class="quiet"><Time at={entry.createdAt} /></span></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
        </div>
        {next !== null && <div class="row"><Button busy={act.busy} onClick={() => void more(entries ?? [], next)}>{t('Show more')}</Button><span class="quiet small">{t('to {when}', { when: exact(entries!.at(-1)!.createdAt) })}</span></div>}
      </div>
    </>
  );
}

/** Quoted throughout; and what a spreadsheet would take for a formula is text. */
const spreadsheet = (rows: readonly (readonly string[])[]): Blob =>
  new Blob(['\ufeff', rows.map(row => row.map(cell => `"${(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell).replaceAll('"', '""')}"`).join(',')).join('\r\n'), '\r\n'], { type: 'text/csv;charset=utf-8' });
