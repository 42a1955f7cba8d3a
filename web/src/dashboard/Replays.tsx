import { Pause, Play, RotateCcw, X } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../design/Button';
import { Confirm, Dialog } from '../design/Dialog';
import { Field } from '../design/Field';
import { Refusal } from '../design/Notice';
import { api, ok, type Schemas } from './api/client';
import { filter, startOf } from './Filters';
import { number } from './format';
import { useEvents } from './live';
import { useAct, useLoad } from './load';
import { setQuery } from './router';
import { env, may, toast } from './state';
import { count, t, type Words } from './text';

type Replay = Schemas['Replay'];
type What = 'failed' | 'never_dispatched';

const whats: Readonly<Record<What, Words>> = { failed: 'Send failed photos again', never_dispatched: 'Send earlier photos' };

/** Sends to a destination what failed there, which the page's head offers when something did lately, and what came in before it was there; and shows how far that has come. */
export function Replays({ project, destination, failedLately }: { project: string; destination: Schemas['Destination']; failedLately: boolean }) {
  const asked = filter('replay') as What;
  const replays = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/replays', { params: { path: { projectId: project } }, signal })), [project]);
  const here = replays.data?.filter(replay => replay.destinationId === destination.id) ?? [];
  const running = here.filter(replay => replay.state === 'running' || replay.state === 'paused');
  useEvents(project, replays.reload);
  // What is queued tells nobody until a delivery ends.
  useEffect(() => {
    if (running.length === 0) return;
    const timer = setInterval(replays.reload, 10_000);
    return () => clearInterval(timer);
  }, [running.length === 0]);
  const developer = may('developer', project);
  const shown = running.length > 0 ? running : here.slice(0, 1);
  if (!developer && shown.length === 0) return null;
  return (
    <section class="card" aria-label={t('Send again')}>
      <header>
        <div><h2>{t('Send again')}</h2><p>{t('What failed here, or came in before this destination was there.')}</p></div>
        {developer && destination.isActive && (
          <span class="row">{(['failed', 'never_dispatched'] as const).filter(what => what !== 'failed' || !failedLately).map(what => <Button key={what} onClick={() => setQuery({ replay: what })}>{t(whats[what])}</Button>)}</span>
        )}
      </header>
      {developer && !destination.isActive && <p class="body quiet">{t('Switch the destination on to send photos to it.')}</p>}
      <Refusal of={replays.problem} />
      {shown.length > 0 && <ul class="list">{shown.map(replay => <Item key={replay.id} project={project} replay={replay} onChanged={replays.reload} />)}</ul>}
      {developer && asked in whats && <Ask project={project} destination={destination} what={asked} onDone={replays.reload} onClose={() => setQuery({ replay: null })} />}
    </section>
  );
}

const states: Readonly<Record<string, Words>> = { running: 'Running', paused: 'Paused', completed: 'Completed', cancelled: 'Cancelled' };

function Item({ project, replay, onChanged }: { project: string; replay: Replay; onChanged: () => void }) {
  const [asking, setAsking] = useState(false);
  const act = useAct();
  const params = { path: { projectId: project, id: replay.id } };
  const ended = replay.sent + replay.failed;
  const turn = (to: 'pause' | 'resume' | 'cancel') => act.run(async () => {
    await ok(api.POST(`/api/v1/projects/{projectId}/replays/{id}/${to}`, { params }));
    setAsking(false);
    onChanged();
  });
  const over = replay.state === 'completed' || replay.state === 'cancelled';
  return (
    <li>
      <span class="grow">
        <strong>{t(whats[replay.status as What] ?? 'Send again')}</strong> <span class="quiet small">{t(states[replay.state] ?? 'Running')}{replay.reason !== null && ` · ${replay.reason}`}</span>
        <progress max={Math.max(replay.total, replay.queued, 1)} value={over && replay.state === 'completed' ? Math.max(replay.total, replay.queued, 1) : ended} aria-label={t('Progress')} />
        <span class="quiet small" style={{ display: 'block' }}>
          {t('{n} of {most}', { n: number(ended), most: number(Math.max(replay.total, replay.queued)) })}
          {replay.failed > 0 && <span class="problem"> · {t('{n} failed', { n: number(replay.failed) })}</span>}
        </span>
        {!asking && <Refusal of={act.problem} />}
      </span>
      {!over && may('developer', project) && (
        <span class="row">
          {replay.state === 'running'
            ? <Button icon={Pause} busy={act.busy} onClick={() => void turn('pause')}>{t('Pause')}</Button>
            : <Button icon={Play} busy={act.busy} onClick={() => void turn('resume')}>{t('Resume')}</Button>}
          <Button danger icon={X} onClick={() => setAsking(true)}>{t('Stop')}</Button>
        </span>
      )}
      {asking && (
        <Confirm title={t('Stop sending?')} action={t('Stop')} act={act} onConfirm={() => void turn('cancel')} onClose={() => setAsking(false)}>
          {t('What is on its way already goes on. The rest is not sent; you can begin anew later.')}
        </Confirm>
      )}
    </li>
  );
}

/** Says how many there are before anything is sent. */
function Ask({ project, destination, what, onDone, onClose }: {
  project: string; destination: Schemas['Destination']; what: What; onDone: () => void; onClose: () => void;
}) {
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState('');
  const act = useAct();
  const [begin, end] = [startOf(from), startOf(until, 1)];
  const params = { path: { projectId: project }, query: { env: env.value } };
  const body = { destinationId: destination.id, status: what, ...(begin ? { from: begin } : {}), ...(end ? { to: end } : {}) };
  const found = useLoad(async signal => (await ok(api.POST('/api/v1/projects/{projectId}/replays', { params, body: { ...body, dryRun: true }, signal }))).total, [body, env.value]);
  const start = () => act.run(async () => {
    await ok(api.POST('/api/v1/projects/{projectId}/replays', { params, body }));
    toast(t('They are on their way. What comes in meanwhile goes first.'));
    onDone();
    onClose();
  });
  return (
    <Dialog title={t(whats[what])} onClose={onClose} onSubmit={() => { if (found.data) void start(); }} actions={
      <Button primary submit icon={RotateCcw} busy={act.busy} disabled={!found.data}>{t('Send')}</Button>
    }>
      <p>{what === 'failed'
        ? t('Photos that failed at {name} for good are delivered to it again.', { name: destination.name })
        : t('Photos that were never to go to {name} are delivered to it, as if their session had named it.', { name: destination.name })}</p>
      <div class="fields">
        <Field label={t('From')} type="date" value={from} onInput={setFrom} hint={t('Empty: from the first on.')} />
        <Field label={t('Until')} type="date" value={until} onInput={setUntil} hint={t('Empty: up to now.')} />
      </div>
      <p role="status"><strong>{found.data === undefined ? '…' : found.data === 0 ? t('There is no such photo.') : count(found.data, '{n} photo will be sent.', '{n} photos will be sent.')}</strong></p>
      <Refusal of={act.problem ?? found.problem} />
    </Dialog>
  );
}
