import { ChevronDown, ChevronLeft, ChevronRight, Download, RefreshCw, Trash2 } from 'lucide';
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { CopyButton } from '../../design/Copy';
import { Confirm } from '../../design/Dialog';
import { Icon } from '../../design/Icon';
import { Notice, Refusal } from '../../design/Notice';
import { kindOf, Thumbnail } from '../../design/Picture';
import { Status, Tags } from '../../design/Status';
import { Time } from '../../design/Time';
import { api, bytes, ok, type Schemas } from '../api/client';
import { kindIn, useDestinationTypes } from '../DestinationTypes';
import { duration, exact, relative, size } from '../format';
import { filter } from '../Filters';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useAct, useLoad } from '../load';
import { Metadata } from '../Metadata';
import { pageSize } from '../paged';
import { go } from '../router';
import { save } from '../save';
import { sourceWords } from '../sources';
import { may, toast } from '../state';
import { count, t, type Words } from '../text';
import { carried, listQuery } from '../uploadList';
import { Zoomable } from '../Zoomable';

type Details = Schemas['UploadDetails'];
type Delivery = Schemas['Delivery'];

/** One photo: what it is, and how it is on its way to each destination. */
export default function Upload({ project, id }: { project: string; id: string }) {
  const upload = useLoad(signal => ok(api.GET('/api/v1/uploads/{id}', { params: { path: { id } }, signal })), [id]);
  const deliveries = useLoad(signal => ok(api.GET('/api/v1/uploads/{id}/deliveries', { params: { path: { id } }, signal })), [id]);
  const types = useDestinationTypes();
  const reload = () => { upload.reload(); deliveries.reload(); };
  useEvents(project, reload);
  const details = upload.data;
  return (
    <>
      <Head title={details?.filename ?? t('Photo')} back={[`/p/${project}/uploads${carried()}`, t('Photos')]} status={details && <Status of={details.status} />}>
        <Neighbours project={project} id={id} />
        {details && <Actions project={project} upload={details} canRetry={Boolean(deliveries.data?.some(each => each.status === 'failed' || each.status === 'retrying'))} onChanged={reload} />}
      </Head>
      <Refusal of={upload.problem} />
      <div class="split">
        <div class="stack">
          {details ? (details.isEncrypted ? <Sealed upload={details} /> : <Viewer upload={details} />) : <span class="bone viewer" />}
          {details?.damage && <Notice kind="bad">{t('The stored file is no longer what was received ({damage}). It is not delivered as it is.', { damage: details.damage })}</Notice>}
          <section class="card" aria-label={t('Deliveries')}>
            <header><h2>{t('Deliveries')}</h2></header>
            {deliveries.data?.length === 0 && <p class="body quiet">{t('This photo goes nowhere: it is stored here.')}</p>}
            {deliveries.data?.map(delivery => <DeliveryItem key={delivery.id} upload={id} kind={kindIn(types.data, delivery.destinationType)} delivery={delivery} />)}
          </section>
        </div>
        {details && <div class="stack"><Facts project={project} upload={details} /><Metadata of={details.sessionMetadata} /></div>}
      </div>
    </>
  );
}

/** What was called the button that led here, if one had the focus. */
let held: string | null | undefined;

/** The photos before and after this one in the list that it was opened from; the arrow keys lead to them too. Whoever leafs by a button keeps it. */
function Neighbours({ project, id }: { project: string; id: string }) {
  const at = Number(filter('at') || NaN);
  const query = listQuery(project);
  const found = useLoad(async signal => {
    const ask = async (page: number, size: number) => (await ok(api.GET('/api/v1/uploads', { params: { query: { ...query, page, pageSize: size } }, signal }))).data;
    // What has come in meanwhile has moved it, seldom by more than a page.
    for (const page of Number.isNaN(at) ? [] : [0, 1, -1].map(further => Math.floor(at / pageSize) + further).filter(page => page >= 0)) {
      const rows = await ask(page + 1, pageSize);
      const here = rows.findIndex(row => row.id === id);
      if (here < 0) continue;
      return Promise.all([here - 1, here + 1].map(async row => {
        const index = page * pageSize + row;
        const other = index < 0 ? undefined : rows[row] ?? (await ask(index + 1, 1))[0];
        return other && `/p/${project}/uploads/${other.id}${carried({ at: String(index) })}`;
      }));
    }
    return [];
  }, [query, at, id]);
  const [before, after] = found.data ?? [];
  const [focused] = useState(() => {
    const name = held;
    held = undefined;
    return name;
  });
  const leadTo = (there: string | undefined) => {
    if (there === undefined) return;
    held = document.activeElement?.getAttribute('aria-label');
    go(there, 'replace');
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const there = { ArrowLeft: before, ArrowRight: after }[event.key];
      if (there === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (event.target instanceof Element && event.target.closest('input, textarea, select, dialog, .viewer.whole')) return;
      event.preventDefault();
      leadTo(there);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [before, after]);
  if (Number.isNaN(at)) return null;
  return (
    <>
      {([[ChevronLeft, t('Photo before'), before], [ChevronRight, t('Photo after'), after]] as const).map(([icon, label, there]) => (
        <Button key={label} icon={icon} label={label} disabled={there === undefined} keepsFocus autofocus={label === focused} onClick={() => leadTo(there)} />
      ))}
    </>
  );
}

/** The picture as it was received; browsers that cannot show its kind show the small one. */
function Viewer({ upload }: { upload: Details }) {
  const [source, setSource] = useState<string | null>();
  useEffect(() => {
    const end = new AbortController();
    let made: string | undefined;
    bytes(`/api/v1/uploads/${upload.id}/download`, end.signal).then(
      blob => { if (!end.signal.aborted) setSource(made = URL.createObjectURL(blob)); }, () => { if (!end.signal.aborted) setSource(null); });
    return () => { end.abort(); if (made) URL.revokeObjectURL(made); };
  }, [upload.id]);
  if (source) return <Zoomable source={source} alt={upload.filename} onError={() => setSource(null)} />;
  return <div class="viewer">{source === null ? <Thumbnail upload={upload} /> : <span class="quiet">{kindOf(upload)}</span>}</div>;
}

/** Its script comes only where there is such a photo. */
function Sealed({ upload }: { upload: Details }) {
  const [part, setPart] = useState<{ default: ComponentType<{ upload: Details }> }>();
  useEffect(() => { void import('../SealedPhoto').then(setPart); }, []);
  return part ? <part.default upload={upload} /> : <span class="bone viewer" />;
}

// What a session may ask of whoever sends photos.
const asked: Readonly<Record<string, Words>> = {
  name: 'Name', email: 'E-mail address', phone: 'Phone number', reference: 'Reference', note: 'Note',
};

function Facts({ project, upload }: { project: string; upload: Details }) {
  const answers = Object.entries((upload.answers ?? {}) as Record<string, string>);
  return (
    <section class="card" aria-label={t('About')}>
      <header><h2>{t('About')}</h2></header>
      <dl class="facts body">
        <dt>{t('Received')}</dt><dd><Time at={upload.createdAt} whole /></dd>
        <dt>{t('Session')}</dt><dd><a href={`/p/${project}/sessions/${upload.sessionId}`}>{upload.sessionLabel ?? upload.sessionId.slice(0, 8)}</a> · {t('photo {n}', { n: upload.imageIndex + 1 })}</dd>
        <dt>{t('Source')}</dt><dd>{sourceWords(upload.source)}</dd>
        {upload.caption && <><dt>{t('Caption')}</dt><dd class="anywhere"><bdi>{upload.caption}</bdi></dd></>}
        {answers.map(([name, answer]) => <><dt>{t(asked[name] ?? 'Note')}</dt><dd class="anywhere lines"><bdi>{answer}</bdi></dd></>)}
        <dt>{t('Size')}</dt><dd>{size(upload.sizeBytes)}{upload.width !== null && ` · ${upload.width} × ${upload.height}`}</dd>
        <dt>{t('Kind')}</dt><dd>{upload.mimeType}{upload.isEncrypted && ` · ${t('encrypted')}`}</dd>
        {upload.acknowledgedAt !== null && <><dt>{t('Taken by a program')}</dt><dd><Time at={upload.acknowledgedAt} whole /></dd></>}
        {upload.sessionTags !== null && upload.sessionTags.length > 0 && <><dt>{t('Tags')}</dt><dd class="row"><Tags of={upload.sessionTags} /></dd></>}
        <dt>SHA-256</dt><dd class="row still"><code class="anywhere">{upload.sha256}</code><CopyButton text={upload.sha256} what="SHA-256" /></dd>
        {upload.originalSha256 !== null && <><dt>{t('SHA-256 as it was sent')}</dt><dd class="row still"><code class="anywhere">{upload.originalSha256}</code><CopyButton text={upload.originalSha256} what="SHA-256" /></dd></>}
        <dt>{t('Id')}</dt><dd><code>{upload.id}</code></dd>
      </dl>
    </section>
  );
}

// What decided when the next attempt is made: see docs/delivery-states.md.
const causes: Readonly<Record<string, Words>> = {
  received: 'the photo came in', schedule: 'by the schedule', retry_after: 'the destination asked for that wait',
  breaker_open: 'the destination was left alone for a while', parked: 'it waited for the owner of the destination', resumed: 'the destination was mended',
  replayed: 'somebody asked for it', stopped: 'the server was stopped', abandoned: 'the server crashed', deleted: 'the destination was deleted',
  clock_changed: 'the clock of the server was set',
};

function DeliveryItem({ upload, kind, delivery }: { upload: string; kind: string; delivery: Delivery }) {
  const [open, setOpen] = useState(delivery.status === 'failed' || delivery.status === 'retrying');
  return (
    <div class="delivery">
      <div class="row apart">
        <div class="grow"><h3 class="clip">{delivery.destinationName}</h3><span class="quiet small">{kind !== delivery.destinationName && `${kind} · `}{count(delivery.attempts, '{n} attempt', '{n} attempts')}</span></div>
        <Status of={delivery.status} />
        <button type="button" class="button plain" aria-expanded={open} onClick={() => setOpen(!open)}>{t('Attempts')}<Icon of={ChevronDown} /></button>
      </div>
      {delivery.lastError !== null && delivery.status !== 'sent' && !open && <p class="problem anywhere">{delivery.lastError}</p>}
      {delivery.waitingFor !== null && <p class="small anywhere">{delivery.waitingFor}</p>}
      {delivery.dueAt !== null && delivery.waitingFor === null && (
        <p class="small quiet">{t('Next attempt {when}', { when: relative(delivery.dueAt) })} ({exact(delivery.dueAt)}): {t(causes[delivery.dueCause ?? ''] ?? 'by the schedule')}</p>
      )}
      {delivery.reference !== null && <p class="small quiet anywhere">{t('Stored as')} <code>{delivery.reference}</code></p>}
      {open && <Attempts upload={upload} delivery={delivery} />}
    </div>
  );
}

const outcomes: Readonly<Record<string, Words>> = {
  accepted: 'It arrived', try_again: 'It did not arrive', give_up: 'It was refused for good', broken: 'The destination cannot be used', stopped: 'The server stopped during it', abandoned: 'The server crashed during it',
};

function Attempts({ upload, delivery }: { upload: string; delivery: Delivery }) {
  const path = { id: upload, destinationId: delivery.destinationId };
  const { data, problem } = useLoad(signal => ok(api.GET('/api/v1/uploads/{id}/destinations/{destinationId}/attempts', { params: { path }, signal })), [path, delivery.updatedAt]);
  if (problem) return <Refusal of={problem} />;
  if (data?.attempts.length === 0) return <p class="small quiet">{t('None yet')}</p>;
  return (
    <ol class="attempts">
      {data?.attempts.map(attempt => (
        <li key={attempt.number}>
          <div class="row apart">
            <strong>{attempt.number}. {t(outcomes[attempt.outcome] ?? 'It did not arrive')}{attempt.status !== null && ` · HTTP ${attempt.status}`}</strong>
            <span class="quiet"><Time at={attempt.startedAt} />{attempt.durationMs !== null && ` · ${duration(attempt.durationMs)}`}</span>
          </div>
          {attempt.reason !== null && <p class="anywhere">{attempt.reason}</p>}
          <p class="quiet">
            {t('Made because {cause}', { cause: t(causes[attempt.dueCause] ?? 'by the schedule') })}{attempt.dueBy !== null && ` (${attempt.dueBy})`}
            {attempt.nextAt !== null && ` · ${t('next planned for {when}', { when: exact(attempt.nextAt) })}`}
          </p>
        </li>
      ))}
    </ol>
  );
}

function Actions({ project, upload, canRetry, onChanged }: { project: string; upload: Details; canRetry: boolean; onChanged: () => void }) {
  const [asking, setAsking] = useState(false);
  const act = useAct();
  const path = { id: upload.id };
  const download = () => act.run(async () => {
    save(upload.filename, await bytes(`/api/v1/uploads/${upload.id}/download`));
  });
  const retry = () => act.run(async () => {
    toast((await ok(api.POST('/api/v1/uploads/{id}/retry', { params: { path } }))).message);
    onChanged();
  });
  const remove = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/uploads/{id}', { params: { path } }));
    toast(t('The photo is deleted.'));
    go(`/p/${project}/uploads${carried()}`);
  });
  const developer = may('developer', project);
  return (
    <>
      <Button icon={Download} busy={act.busy && !asking} onClick={() => void download()}>{t('Download')}</Button>
      {developer && canRetry && <Button primary icon={RefreshCw} onClick={() => void retry()}>{t('Try again')}</Button>}
      {developer && <Button danger icon={Trash2} label={t('Delete')} onClick={() => setAsking(true)} />}
      {!asking && <Refusal of={act.problem} />}
      {asking && (
        <Confirm title={t('Delete this photo?')} action={t('Delete')} act={act} onConfirm={() => void remove()} onClose={() => setAsking(false)}>
          {t('It is deleted here and delivered no further. What a destination has already stays there.')}
        </Confirm>
      )}
    </>
  );
}
