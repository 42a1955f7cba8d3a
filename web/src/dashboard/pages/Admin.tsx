import { FolderKanban, Search } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Confirm } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Notice, Refusal } from '../../design/Notice';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { readiness } from '../Attention';
import { useDestinationTypes } from '../DestinationTypes';
import { filter, Filters } from '../Filters';
import { number, size } from '../format';
import { Head } from '../Head';
import { useAct, useLoad } from '../load';
import { path } from '../router';
import { person } from '../state';
import { count, t, type Words } from '../text';

type Person = Schemas['AdminUser'];

const parts: readonly (readonly [string, Words, () => ComponentChildren])[] = [
  ['/admin', 'Server', () => <Server />],
  ['/admin/users', 'People', () => <People />],
  ['/admin/projects', 'Projects', () => <Projects />],
  ['/admin/settings', 'Settings', () => <Settings />],
];

/** What whoever runs the server sees of it. */
export default function Admin() {
  const here = parts.find(([address]) => address === path.value)!;
  return (
    <>
      <Head title={t('Administration')} />
      <nav class="tabs" aria-label={t('Administration')}>
        {parts.map(([address, words]) => <a key={address} href={address} aria-current={address === here[0] ? 'page' : undefined}>{t(words)}</a>)}
      </nav>
      <div class="stack">{here[2]()}</div>
    </>
  );
}

const queues: Readonly<Record<string, Words>> = { deliveries: 'Photos to destinations', events: 'Events to webhooks' };

const databases: Readonly<Record<string, string>> = { Sqlite: 'SQLite', PostgreSql: 'PostgreSQL' };

/** Without most of the commit that it was built from. */
const short = (version: string): string => version.replace(/\+([0-9a-f]{8})[0-9a-f]*$/, ' ($1)');

function Server() {
  const { data, problem } = useLoad(signal => ok(api.GET('/api/v1/admin/server', { signal })), []);
  const troubles = useLoad(readiness, []).data ?? [];
  const unusable = useDestinationTypes().data?.filter(type => type.problem !== null) ?? [];
  return (
    <>
      <Refusal of={problem} />
      {troubles.map(trouble => <Notice key={trouble.check} kind="warn">{trouble.detail}</Notice>)}
      <section class="card">
        <header><h2>{t('Waiting to be sent')}</h2></header>
        <ul class="list">
          {data?.queues.map(queue => (
            <li key={queue.queue}><span class="grow">{t(queues[queue.queue]!)}</span><strong>{queue.atLeast ? t('more than {n}', { n: number(queue.depth) }) : number(queue.depth)}</strong></li>
          )) ?? <li><span class="bone grow" /></li>}
        </ul>
      </section>
      <section class="card">
        <header><div><h2>{t('Nodes')}</h2>{data && <p class="anywhere">{t('Database: {database}', { database: databases[data.database] ?? data.database })} · {t(data.storage === 'Folder' ? 'Photos are kept in a folder' : 'Photos are kept in an object store')}</p>}</div></header>
        <ul class="list">
          {data?.nodes.map(node => (
            <li key={node.node}>
              <span class="grow"><code>{node.node}</code><span class="quiet small anywhere" style={{ display: 'block' }}>{t('Version {version}', { version: short(node.version) })}</span></span>
              <span class={`status ${node.isAlive ? 'good' : 'bad'}`}>{node.isAlive ? t('Running') : t('Silent')}</span>
              <span class="quiet small"><Time at={node.seenAt} /></span>
            </li>
          )) ?? <li><span class="bone grow" /></li>}
        </ul>
      </section>
      {unusable.length > 0 && (
        <section class="card">
          <header><h2>{t('Kinds of destination that cannot be used yet')}</h2></header>
          <ul class="list">{unusable.map(type => <li key={type.type}><span class="grow"><strong>{type.label}</strong><span class="quiet small anywhere" style={{ display: 'block' }}>{type.problem}</span></span></li>)}</ul>
        </section>
      )}
    </>
  );
}

/** A list that is read on from where it ended. */
function useStretches<T>(ask: (cursor: string | null) => Promise<{ rows: readonly T[]; next: string | null }>) {
  const [rows, setRows] = useState<readonly T[]>();
  const [next, setNext] = useState<string | null>(null);
  const act = useAct();
  const read = (cursor: string | null) => act.run(async () => {
    const stretch = await ask(cursor);
    setRows(before => [...before ?? [], ...stretch.rows]);
    setNext(stretch.next);
  });
  useEffect(() => { void read(null); }, []);
  return { rows, setRows, act, more: next !== null && <div class="row"><Button busy={act.busy} onClick={() => void read(next)}>{t('Show more')}</Button></div> };
}

function People() {
  const words = filter('q');
  return <><Filters placeholder={t('E-mail address, in full')}>{null}</Filters><Found key={words} words={words} /></>;
}

/** What one search has found: the next one begins anew, however late this one is answered. */
function Found({ words }: { words: string }) {
  const { rows, setRows, act, more } = useStretches<Person>(async cursor => {
    const { users, next } = await ok(api.GET('/api/v1/admin/users', { params: { query: { ...(words === '' ? {} : { email: words }), ...(cursor === null ? {} : { cursor }) } } }));
    return { rows: users, next };
  });
  return (
    <>
      <Refusal of={act.problem} />
      <div class="card">
        {rows?.length === 0
          ? <Empty icon={Search} title={t('Nobody has this address')} />
          : (
            <table class="table cards" aria-label={t('People')}>
              <thead><tr><th>{t('E-mail address')}</th><th>{t('Status')}</th><th>{t('Projects')}</th><th>{t('Since')}</th><th><span class="unseen">{t('Action')}</span></th></tr></thead>
              <tbody>
                {rows?.map(each => <Item key={each.id} of={each} onChanged={changed => setRows(now => now?.map(row => row.id === changed.id ? changed : row))} />)
                  ?? <tr><td colSpan={5}><span class="bone grow" /></td></tr>}
              </tbody>
            </table>
          )}
      </div>
      {more}
    </>
  );
}

function Item({ of, onChanged }: { of: Person; onChanged: (changed: Person) => void }) {
  const [asking, setAsking] = useState(false);
  const act = useAct();
  const out = of.disabledAt !== null;
  const params = { path: { userId: of.id } };
  const change = () => act.run(async () => {
    onChanged(await ok(out ? api.POST('/api/v1/admin/users/{userId}/enable', { params }) : api.POST('/api/v1/admin/users/{userId}/disable', { params })));
    setAsking(false);
  });
  return (
    <tr>
      <td><strong class="anywhere">{of.email}</strong>{of.isOperator && <> <span class="tag">{t('Operator')}</span></>}</td>
      <td data-label={t('Status')}><span class={`status ${out ? 'bad' : 'good'}`}>{out ? t('Disabled') : t('Active')}</span></td>
      <td data-label={t('Projects')}><span>{number(of.projectCount)}</span></td>
      <td data-label={t('Since')}><span class="quiet"><Time at={of.createdAt} /></span></td>
      <td>
        {of.id !== person.value?.id && (
          <Button danger={!out} busy={act.busy} onClick={() => { if (out) void change(); else setAsking(true); }}>{out ? t('Enable') : t('Disable')}<span class="unseen"> {of.email}</span></Button>
        )}
        {!asking && <Refusal of={act.problem} />}
        {asking && (
          <Confirm title={t('Disable {name}?', { name: of.email })} action={t('Disable')} act={act} onConfirm={() => void change()} onClose={() => setAsking(false)}>
            {t('They are signed out everywhere and cannot come in until they are enabled again. Their projects and keys go on working.')}
          </Confirm>
        )}
      </td>
    </tr>
  );
}

const sum = (rows: readonly Schemas['AdminProject'][], what: 'storedImages' | 'storedBytes'): number => rows.reduce((total, row) => total + row[what], 0);

function Projects() {
  const { rows, act, more } = useStretches<Schemas['AdminProject']>(async cursor => {
    const { projects, next } = await ok(api.GET('/api/v1/admin/projects', { params: { query: cursor === null ? {} : { cursor } } }));
    return { rows: projects, next };
  });
  return (
    <>
      <Refusal of={act.problem} />
      {rows && rows.length > 0 && (
        <p class="quiet">
          {t(more ? 'In the projects shown:' : 'In all projects:')} {count(sum(rows, 'storedImages'), '{n} photo is stored', '{n} photos are stored')} ({size(sum(rows, 'storedBytes'))}).
        </p>
      )}
      <div class="card">
        {rows?.length === 0
          ? <Empty icon={FolderKanban} title={t('There is no project yet')} />
          : (
            <table class="table cards" aria-label={t('Projects')}>
              <thead><tr><th>{t('Name')}</th><th>{t('Members')}</th><th>{t('Photos')}</th><th>{t('Storage')}</th><th>{t('Since')}</th></tr></thead>
              <tbody>
                {rows?.map(each => (
                  <tr key={each.id}>
                    <td><strong class="anywhere">{each.name}</strong>{each.disabledAt !== null && <> <span class="tag">{t('Disabled')}</span></>}</td>
                    <td data-label={t('Members')}><span>{number(each.memberCount)}</span></td>
                    <td data-label={t('Photos')}><span>{number(each.storedImages)}</span></td>
                    <td data-label={t('Storage')}><span>{size(each.storedBytes)}</span></td>
                    <td data-label={t('Since')}><span class="quiet"><Time at={each.createdAt} /></span></td>
                  </tr>
                )) ?? <tr><td colSpan={5}><span class="bone grow" /></td></tr>}
              </tbody>
            </table>
          )}
      </div>
      {more}
    </>
  );
}

function Settings() {
  const { data, problem } = useLoad(signal => ok(api.GET('/api/v1/admin/settings', { signal })), []);
  const words = filter('q').toLowerCase();
  return (
    <>
      <Filters placeholder={t('Search settings')}>{null}</Filters>
      <Refusal of={problem} />
      <div class="card">
        <table class="table cards" aria-label={t('Settings')}>
          <thead><tr><th>{t('Setting')}</th><th>{t('Value')}</th><th>{t('Origin')}</th></tr></thead>
          <tbody>
            {data?.filter(each => each.name.toLowerCase().includes(words)).map(each => (
              <tr key={each.name}>
                <td><code class="anywhere">{each.name}</code></td>
                <td data-label={t('Value')}><span class="anywhere">{each.value === '' ? '–' : each.value}</span></td>
                <td data-label={t('Origin')}><span class={each.isDefault ? 'quiet' : undefined}>{each.isDefault ? t('Default') : t('Set here')}</span></td>
              </tr>
            )) ?? <tr><td colSpan={3}><span class="bone grow" /></td></tr>}
          </tbody>
        </table>
      </div>
    </>
  );
}
