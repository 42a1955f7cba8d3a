import { Download, ScrollText } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Empty } from '../../design/Empty';
import { Refusal } from '../../design/Notice';
import { api, ok, type Schemas } from '../api/client';
import { actWords, placeOf } from '../acts';
import { filter, Filters } from '../Filters';
import { exact, number } from '../format';
import { Head } from '../Head';
import { useAct, useLoad } from '../load';
import { save } from '../save';
import { projects, toast } from '../state';
import { t } from '../text';
import { Time } from '../../design/Time';

type Entry = Schemas['AuditRow'];

const enough = 10_000;

/** Stretches that one press reads through for an entry that fits. */
const far = 10;

/** Who changed what, and when. */
export default function Audit({ project }: { project: string }) {
  const [entries, setEntries] = useState<readonly Entry[]>();
  const [next, setNext] = useState<string | null>(null);
  const act = useAct();
  const ask = (cursor: string | null, limit: number) =>
    ok(api.GET('/api/v1/projects/{projectId}/audit', { params: { path: { projectId: project }, query: { limit, ...(cursor === null ? {} : { cursor }) } } }));
  const names = useNames(project);
  const words = filter('q').toLowerCase();
  const fits = (entry: Entry) => [entry.action, actWords(entry.action), entry.actor.name, entry.thingId, entry.address].some(text => text?.toLowerCase().includes(words));
  const more = (from: string | null) => act.run(async () => {
    let [cursor, found] = [from, false];
    for (let read = 0; read < far && !found && (read === 0 || cursor !== null); read++) {
      const page: Schemas['AuditPage'] = await ask(cursor, 100);
      setEntries(before => [...before ?? [], ...page.entries]);
      setNext(cursor = page.next);
      found = page.entries.some(fits);
    }
  });
  useEffect(() => { void more(null); }, []);

  const shown = entries?.filter(fits);
  const since = next !== null && exact(entries!.at(-1)!.createdAt);
  const download = () => act.run(async () => {
    const all: Entry[] = [];
    let cursor: string | null = null;
    do {
      const page: Schemas['AuditPage'] = await ask(cursor, 200);
      all.push(...page.entries.filter(fits));
      cursor = page.next;
    } while (cursor !== null && all.length < enough);
    if (cursor !== null) toast(t('The file has the newest {n} entries. Older ones are not in it.', { n: number(all.length) }), 'bad');
    save('audit.csv', spreadsheet([['time', 'actor_type', 'actor', 'action', 'thing', 'address'],
      ...all.map(each => [each.createdAt, each.actor.type, each.actor.name, each.action, each.thingId ?? '', each.address ?? ''])]));
  });
  return (
    <>
      <Head title={t('Audit log')}><Button icon={Download} busy={act.busy} onClick={() => void download()}>{t('Export CSV')}</Button></Head>
      <div class="stack">
        <Filters placeholder={t('Search by person, action or id')}>{null}</Filters>
        <Refusal of={act.problem} />
        <div class="card">
          {shown?.length === 0
            ? (
              <Empty icon={ScrollText} title={words === '' ? t('Nothing has been changed yet') : since ? t('Not among the entries since {when}', { when: since }) : t('Nothing found')}>
                {words === '' && t('Whoever makes, changes or deletes something in this project is named here, with the time and the address they came from.')}
              </Empty>
            )
            : (
              <table class="table cards" aria-label={t('Audit log')}>
                <thead><tr><th>{t('Action')}</th><th>{t('Who')}</th><th>{t('Target')}</th><th>{t('From')}</th><th>{t('When')}</th></tr></thead>
                <tbody>
                  {shown?.map(entry => (
                    <tr key={entry.id}>
                      <td><span title={entry.action}>{actWords(entry.action)}</span></td>
                      <td data-label={t('Who')}><span class="anywhere">{entry.actor.name}</span></td>
                      <td data-label={t('Target')}><Thing project={project} entry={entry} names={names} /></td>
                      <td data-label={t('From')}><span>{entry.address ?? '–'}</span></td>
                      <td data-label={t('When')}><span class="quiet"><Time at={entry.createdAt} whole /></span></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
        </div>
        {since && <div class="row"><Button busy={act.busy} onClick={() => void more(next)}>{shown?.length === 0 ? t('Search further back') : t('Show more')}</Button><span class="quiet small">{t('to {when}', { when: since })}</span></div>}
      </div>
    </>
  );
}

/** What is called what, of the things that a project has few of. */
function useNames(projectId: string): ReadonlyMap<string, string> {
  const params = { path: { projectId } };
  const found = useLoad(async signal => {
    const [destinations, keys, webhooks, members] = await Promise.all([
      ok(api.GET('/api/v1/projects/{projectId}/destinations', { params, signal })), ok(api.GET('/api/v1/projects/{projectId}/keys', { params, signal })),
      ok(api.GET('/api/v1/projects/{projectId}/webhooks', { params, signal })), ok(api.GET('/api/v1/projects/{projectId}/members', { params, signal })),
    ]);
    return new Map([
      ...[...destinations, ...projects.value ?? []].map(each => [each.id, each.name] as const), ...keys.map(each => [each.id, each.label] as const),
      ...webhooks.map(each => [each.id, each.url] as const), ...members.map(each => [each.userId, each.email] as const),
    ]);
  }, [projectId]);
  return found.data ?? new Map();
}

/** The end of an id says more than its beginning, which is the time. */
function Thing({ project, entry: { action, thingId }, names }: { project: string; entry: Entry; names: ReadonlyMap<string, string> }) {
  if (thingId === null) return <span>–</span>;
  const name = names.get(thingId) ?? <code>…{thingId.slice(-8)}</code>;
  const place = placeOf(project, action, thingId);
  return place === undefined ? <span class="anywhere" title={thingId}>{name}</span> : <a class="anywhere" title={thingId} href={place}>{name}</a>;
}

/** Quoted throughout; and what a spreadsheet would take for a formula is text. */
const spreadsheet = (rows: readonly (readonly string[])[]): Blob =>
  new Blob(['\ufeff', rows.map(row => row.map(cell => `"${(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell).replaceAll('"', '""')}"`).join(',')).join('\r\n'), '\r\n'], { type: 'text/csv;charset=utf-8' });
