import { Download, Grid2x2, Images, RefreshCw, Rows3, SearchX, Trash2, X } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button, LinkButton } from '../../design/Button';
import { Confirm } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Segments, Select } from '../../design/Field';
import { Icon } from '../../design/Icon';
import { Refusal } from '../../design/Notice';
import { Thumbnail } from '../../design/Picture';
import { Status } from '../../design/Status';
import { Time } from '../../design/Time';
import { useWindow, WindowedTable } from '../../design/Windowed';
import { api, ok, Problem, type Schemas } from '../api/client';
import { DayFilter, filter, Filters } from '../Filters';
import { number, size } from '../format';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useAct, useLoad } from '../load';
import { pageSize, usePaged, type Paged } from '../paged';
import { setQuery } from '../router';
import { fetchToDisk } from '../save';
import { sources, sourceWords } from '../sources';
import { may, toast } from '../state';
import { count, t } from '../text';
import { carried, isFiltered, listQuery } from '../uploadList';

type Row = Schemas['UploadRow'];
interface Choice { readonly chosen: ReadonlySet<string>; readonly toggle: (index: number, range: boolean) => void }

/** Every photo that has arrived, newest first, as pictures or as a table. */
export default function Uploads({ project }: { project: string }) {
  const view = filter('view');
  const [status, source, destination, session] = [filter('status'), filter('source'), filter('destination'), filter('session')];
  const query = { ...listQuery(project), pageSize };
  const destinations = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destinations', { params: { path: { projectId: project } }, signal })), [project]);
  const list = usePaged((page, signal) => ok(api.GET('/api/v1/uploads', { params: { query: { ...query, page } }, signal })), [query]);
  useEvents(project, list.reload);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<{ id: string; index: number } | undefined>(undefined);
  useEffect(() => {
    setChosen(new Set());
    last.current = undefined;
  }, [JSON.stringify(query)]);
  const toggle = (index: number, range: boolean) => {
    const id = list.known(index)?.id;
    if (id === undefined) return;
    // With the shift key, all from the one before to this become as this; where that one has moved meanwhile, or not all are here, this alone.
    const from = range && last.current && list.known(last.current.index)?.id === last.current.id ? last.current.index : index;
    const all = Array.from({ length: Math.abs(index - from) + 1 }, (_, offset) => list.known(Math.min(from, index) + offset)?.id);
    const ids = all.includes(undefined) ? [id] : all as string[];
    const on = !chosen.has(id);
    setChosen(before => on ? new Set([...before, ...ids]) : new Set([...before].filter(each => !ids.includes(each))));
    last.current = { id, index };
  };
  const choice: Choice = { chosen, toggle };
  return (
    <>
      <Head title={t('Photos')} status={list.total !== undefined && <span class="quiet">{number(list.total)}</span>} />
      <div class="stack">
        <Filters placeholder={t('Search by name or id')}>
          <Select label={t('Status')} unseenLabel value={status} onInput={value => setQuery({ status: value })} options={[
            { value: '', label: t('Every status') }, { value: 'delivered', label: t('Delivered') }, { value: 'pending', label: t('Waiting') },
            { value: 'failed', label: t('Failed') }, { value: 'partial', label: t('Partly delivered') }, { value: 'stored_only', label: t('Stored') },
          ]} />
          <Select label={t('Source')} unseenLabel value={source} onInput={value => setQuery({ source: value })}
            options={[{ value: '', label: t('Every source') }, ...sources.map(value => ({ value, label: sourceWords(value) }))]} />
          <Select label={t('Destination')} unseenLabel value={destination} onInput={value => setQuery({ destination: value })} options={[
            { value: '', label: t('Every destination') }, ...(destinations.data ?? []).map(({ id, name }) => ({ value: id, label: name })),
            // One that was deleted has a history too.
            ...(destination && destinations.data?.every(each => each.id !== destination) ? [{ value: destination, label: destination.slice(0, 8) }] : []),
          ]} />
          <div class="days">
            <DayFilter name="from" label={t('From')} />
            <DayFilter name="to" label={t('Until')} />
          </div>
          {session && <Button icon={X} onClick={() => setQuery({ session: null })}>{t('Session {id}', { id: session.slice(0, 8) })}</Button>}
          <Segments label={t('View')} value={view === 'table' ? 'table' : 'pictures'} onInput={value => setQuery({ view: value === 'table' ? value : null })} options={[
            { value: 'pictures', label: <><Icon of={Grid2x2} /><span class="unseen">{t('Pictures')}</span></> },
            { value: 'table', label: <><Icon of={Rows3} /><span class="unseen">{t('Table')}</span></> },
          ]} />
        </Filters>
        <Refusal of={list.problem} />
        {chosen.size > 0 && (
          <div class="card row chosen-bar">
            <Chosen project={project} ids={[...chosen]} onDone={done => { setChosen(before => new Set([...before].filter(id => !done.includes(id)))); list.reload(); }} />
          </div>
        )}
        {list.total === 0
          ? (
            <div class="card">
              {isFiltered()
                ? <Empty icon={SearchX} title={t('Nothing found')} action={<Button onClick={() => setQuery({ q: null, status: null, source: null, destination: null, session: null, from: null, to: null })}>{t('Clear filters')}</Button>} />
                : <Empty icon={Images} title={t('No photo has arrived yet')} action={may('developer', project) && <LinkButton primary href={`/p/${project}/sessions?new=1`}>{t('New session')}</LinkButton>}>{t('Photos appear here as soon as somebody sends one.')}</Empty>}
            </div>
          )
          : view === 'table'
            ? <div class="card"><Table project={project} list={list} choice={choice} /></div>
            : <Grid project={project} list={list} choice={choice} />}
      </div>
    </>
  );
}

function Table({ project, list, choice }: { project: string; list: Paged<Row>; choice: Choice }) {
  return (
    <WindowedTable label={t('Photos')} rows={list.total} columns={6}
      head={<tr><th>{t('Photo')}</th><th>{t('Status')}</th><th>{t('Source')}</th><th class="num">{t('Size')}</th><th>{t('Received')}</th><th><span class="unseen">{t('Choose')}</span></th></tr>}
      row={index => {
        const upload = list.row(index);
        if (!upload) return <tr key={index}>{Array.from({ length: 6 }, (_, cell) => <td key={cell}><span class="bone" style={{ width: '4rem' }} /></td>)}</tr>;
        return (
          <tr key={index} class="link">
            <td class="name"><span class="row still"><Thumbnail key={upload.id} upload={upload} class="small" /><a class="title clip" href={`/p/${project}/uploads/${upload.id}${carried({ at: String(index) })}`}>{upload.filename}</a>{upload.caption && <bdi class="quiet small clip">{upload.caption}</bdi>}</span></td>
            <td data-label={t('Status')}><Status of={upload.status} /></td>
            <td data-label={t('Source')}><span>{sourceWords(upload.source)}</span></td>
            <td data-label={t('Size')} class="num"><span>{size(upload.sizeBytes)}</span></td>
            <td data-label={t('Received')}><span class="quiet"><Time at={upload.createdAt} /></span></td>
            <td data-label={t('Choose')}><Choose upload={upload} index={index} choice={choice} /></td>
          </tr>
        );
      }} />
  );
}

/** The pictures, in as many columns as there is room for. */
function Grid({ project, list, choice }: { project: string; list: Paged<Row>; choice: Choice }) {
  const root = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1_000);
  useEffect(() => {
    const observer = new ResizeObserver(entries => setWidth(entries[0]!.contentRect.width));
    observer.observe(root.current!);
    return () => observer.disconnect();
  }, []);
  const gap = 12;
  // Whoever needs larger letters gets larger pictures with them.
  const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  const columns = Math.max(1, Math.floor((width + gap) / ((width < 600 ? 150 : 168) * scale)));
  const height = (width - (columns - 1) * gap) / columns + 80 * scale;
  const total = list.total ?? columns * 3;
  const { top, from, to, before, after } = useWindow(Math.ceil(total / columns), height + gap);
  return (
    <div ref={root}>
      <ul ref={top as never} class="pictures" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gap: `${gap}px`, paddingTop: `${before}px`, paddingBottom: `${after}px` }}>
        {Array.from({ length: Math.min(total, to * columns) - from * columns }, (_, offset) => {
          const index = from * columns + offset;
          const upload = list.row(index);
          return (
            <li key={index} class={upload && choice.chosen.has(upload.id) ? 'shot chosen' : 'shot'} style={{ height: `${height}px` }} aria-setsize={total} aria-posinset={index + 1}>
              {upload
                ? (
                  <>
                    <a href={`/p/${project}/uploads/${upload.id}${carried({ at: String(index) })}`}>
                      <Thumbnail key={upload.id} upload={upload} /><span class="clip" dir="auto">{upload.caption ?? upload.filename}</span><span class="quiet clip"><Time at={upload.createdAt} /></span>
                    </a>
                    <span class="shot-foot"><Status of={upload.status} /></span>
                    <Choose upload={upload} index={index} choice={choice} />
                  </>
                )
                : <span class="bone picture" />}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Choose({ upload, index, choice }: { upload: Row; index: number; choice: Choice }) {
  return (
    <label class="check">
      <span class="unseen">{t('Choose {name}', { name: upload.filename })}</span>
      <input type="checkbox" checked={choice.chosen.has(upload.id)} onClick={event => choice.toggle(index, event.shiftKey)} />
    </label>
  );
}

/** What can be done with several photos at once; those that it was not done with stay chosen. */
function Chosen({ project, ids, onDone }: { project: string; ids: readonly string[]; onDone: (done: readonly string[]) => void }) {
  const [asking, setAsking] = useState(false);
  const act = useAct();
  const download = () => act.run(async () => {
    const { ticket, leftOut } = await ok(api.POST('/api/v1/uploads/archive-ticket', { body: { uploadIds: [...ids] } }));
    fetchToDisk('/api/v1/downloads/archive', { ticket }, () => toast(t('The photos could not be downloaded. Try again in a moment.'), 'bad'));
    if (leftOut > 0) toast(count(leftOut, '{n} photo is not stored here any more and was left out: left-out.txt in the file names it.', '{n} photos are not stored here any more and were left out: left-out.txt in the file names them.'), 'bad');
  });
  const each = (work: (id: string) => Promise<unknown>, tell?: (done: number) => void) => act.run(async () => {
    // What somebody else has deleted meanwhile needs nothing more.
    const isGone = (reason: unknown) => reason instanceof Problem && reason.status === 404;
    const outcomes = await Promise.allSettled(ids.map(work));
    const failed = outcomes.flatMap((outcome, index) => outcome.status === 'rejected' && !isGone(outcome.reason) ? [{ id: ids[index], reason: outcome.reason }] : []);
    const done = ids.filter(id => failed.every(other => other.id !== id));
    if (done.length > 0) tell?.(done.length);
    onDone(done);
    if (failed[0]) throw failed[0].reason;
    setAsking(false);
  });
  const retry = () => each(
    id => ok(api.POST('/api/v1/uploads/{id}/retry', { params: { path: { id } } })),
    done => toast(count(done, '{n} photo is tried again where it has not arrived.', '{n} photos are tried again where they have not arrived.')));
  const remove = () => each(id => ok(api.DELETE('/api/v1/uploads/{id}', { params: { path: { id } } })));
  return (
    <>
      <span class="quiet">{count(ids.length, '{n} chosen', '{n} chosen')}</span>
      <Button icon={Download} busy={act.busy && !asking} onClick={() => void download()}>{t('Download')}</Button>
      {may('developer', project) && (
        <>
          <Button icon={RefreshCw} busy={act.busy && !asking} onClick={() => void retry()}>{t('Try again')}</Button>
          <Button danger icon={Trash2} onClick={() => setAsking(true)}>{t('Delete')}</Button>
        </>
      )}
      {!asking && <Refusal of={act.problem} />}
      {asking && (
        <Confirm title={t('Delete photos?')} action={t('Delete')} act={act} onConfirm={() => void remove()} onClose={() => setAsking(false)}>
          {count(ids.length, '{n} photo is deleted here and delivered no further. What a destination has already stays there.', '{n} photos are deleted here and delivered no further. What destinations have already stays there.')}
        </Confirm>
      )}
    </>
  );
}
