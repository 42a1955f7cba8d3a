import { Images, QrCode } from 'lucide';
import { useState } from 'preact/hooks';
import { Button, LinkButton } from '../../design/Button';
import { Chart, type Bar, type Part } from '../../design/Chart';
import { Empty } from '../../design/Empty';
import { Segments } from '../../design/Field';
import { Refusal } from '../../design/Notice';
import { Thumbnail } from '../../design/Picture';
import { sessionState, Status } from '../../design/Status';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { Attention } from '../Attention';
import { day, number, percent } from '../format';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useLoad } from '../load';
import { go } from '../router';
import { env, may, projects } from '../state';
import { count, t, type Words } from '../text';

type Day = Schemas['StatsDay'];

/** How it goes, what asks for attention, and what came in lately. */
export default function Home({ project }: { project: string }) {
  const name = projects.value!.find(each => each.id === project)!.name;
  const [days, setDays] = useState<'7' | '30' | '90'>('30');
  const scope = { projectId: project, env: env.value };
  // Twice as far back, to compare with the time before.
  const from = new Date(Date.now() - (2 * Number(days) - 1) * 86_400_000).toISOString().slice(0, 10);
  const stats = useLoad(signal => ok(api.GET('/api/v1/stats/daily', { params: { query: { ...scope, from } }, signal })), [scope, from]);
  const uploads = useLoad(signal => ok(api.GET('/api/v1/uploads/recent', { params: { query: { ...scope, limit: 18 } }, signal })), [scope]);
  const sessions = useLoad(signal => ok(api.GET('/api/v1/sessions/recent', { params: { query: { ...scope, limit: 6 } }, signal })), [scope]);
  useEvents(project, () => { stats.reload(); uploads.reload(); sessions.reload(); }, 5);

  const isNew = uploads.data?.length === 0 && sessions.data?.length === 0;
  return (
    <>
      <Head title={name}>
        {may('developer', project) && <Button primary icon={QrCode} onClick={() => go(`/p/${project}/sessions?new=1`)}>{t('New session')}</Button>}
      </Head>
      <div class="stack loose">
        <Refusal of={stats.problem ?? uploads.problem ?? sessions.problem} />
        <Attention project={project} />
        {isNew
          ? <div class="card"><Welcome project={project} /></div>
          : (
            <>
              <Numbers all={stats.data} days={Number(days)} choice={
                <Segments label={t('Time')} value={days} onInput={setDays} options={[
                  { value: '7', label: t('7 days') }, { value: '30', label: t('30 days') }, { value: '90', label: t('90 days') },
                ]} />
              } />
              <div class="split">
                <section class="card" aria-label={t('Latest photos')}>
                  <header><h2>{t('Latest photos')}</h2><a href={`/p/${project}/uploads`}>{t('All photos')}</a></header>
                  <div class="body"><Feed project={project} rows={uploads.data} /></div>
                </section>
                <section class="card" aria-label={t('Latest sessions')}>
                  <header><h2>{t('Latest sessions')}</h2><a href={`/p/${project}/sessions`}>{t('All sessions')}</a></header>
                  <Sessions project={project} rows={sessions.data} />
                </section>
              </div>
            </>
          )}
      </div>
    </>
  );
}

function Welcome({ project }: { project: string }) {
  return (
    <Empty icon={Images} title={t('No photo has arrived yet')}
      action={may('developer', project) && <LinkButton primary href={`/p/${project}/start`}>{t('Show me how')}</LinkButton>}>
      {t('Make a session, let somebody scan its code with a phone, and watch the photos arrive here.')}
    </Empty>
  );
}

function Numbers({ all, days, choice }: { all: readonly Day[] | undefined; days: number; choice: preact.ComponentChildren }) {
  const [before, now] = [all?.slice(0, -days) ?? [], all?.slice(-days) ?? []];
  const rate = (of: readonly Day[]) => {
    const sent = sum(of, 'deliveriesSent');
    const ended = sent + sum(of, 'deliveriesFailed');
    return ended === 0 ? undefined : sent / ended;
  };
  return (
    <section class="stack" aria-label={t('Numbers')}>
      <div class="row apart"><h2>{t('Numbers')}</h2>{choice}</div>
      <div class="tiles">
        <Tile words="Photos received" busy={!all} figure={number(sum(now, 'imagesUploaded'))} change={growth(sum(before, 'imagesUploaded'), sum(now, 'imagesUploaded'))} />
        <Tile words="Sessions" busy={!all} figure={number(sum(now, 'sessions'))} change={growth(sum(before, 'sessions'), sum(now, 'sessions'))} />
        <Tile words="Delivery success" busy={!all} figure={rate(now) === undefined ? '–' : percent(rate(now)!)}
          note={t('{n} of {most}', { n: number(sum(now, 'deliveriesSent')), most: number(sum(now, 'deliveriesSent') + sum(now, 'deliveriesFailed')) })} />
        <Tile words="Failed deliveries" busy={!all} figure={number(sum(now, 'deliveriesFailed'))}
          note={sum(now, 'deliveriesFailed') === 0 ? t('None, after all attempts') : t('For good, after all attempts')} />
      </div>
      <div class="card">
        <header><h2>{t('Photos per day')}</h2></header>
        <div class="body">
          {all ? <Chart bars={now.map(toBar)} parts={parts} name={day} caption="Photos per day" column="Photos" most="At most {n} a day" /> : <span class="bone" style={{ width: '100%', height: '9rem' }} />}
        </div>
      </div>
    </section>
  );
}

const parts: readonly Part[] = [
  { words: 'Delivered', look: 'sent' }, { words: 'Partly delivered', look: 'partly' }, { words: 'Failed', look: 'missing' }, { words: 'Waiting or stored', look: 'waiting' },
];

function toBar(day: Day): Bar {
  // A failure beside a delivery elsewhere is no photo lost: what failed beyond those that are nowhere failed of others.
  const failed = Math.min(day.imagesUploaded - day.imagesDelivered, day.deliveriesFailed);
  const partly = Math.min(day.imagesDelivered, day.deliveriesFailed - failed);
  return { at: day.date, values: [day.imagesDelivered - partly, partly, failed, day.imagesUploaded - day.imagesDelivered - failed] };
}

const sum = (days: readonly Day[], what: Exclude<keyof Day, 'date'>) => days.reduce((total, day) => total + day[what], 0);

function growth(before: number, now: number): { text: string; good: boolean } | undefined {
  if (before === 0) return undefined;
  const share = now / before - 1;
  return { text: `${share >= 0 ? '+' : '−'}${percent(Math.abs(share))}`, good: share >= 0 };
}

function Tile({ words, figure, change, note, busy }: {
  words: Words; figure: string; change?: { text: string; good: boolean } | undefined; note?: string; busy: boolean;
}) {
  return (
    <div class="card tile">
      <p class="quiet">{t(words)}</p>
      <p class="figure">{busy ? <span class="bone" style={{ width: '4rem' }} /> : figure}</p>
      <p class="small quiet">{change ? <><span class={change.good ? 'change good' : 'change'}>{change.text}</span> {t('vs. the period before')}</> : note ?? ' '}</p>
    </div>
  );
}

function Feed({ project, rows }: { project: string; rows: readonly Schemas['UploadRow'][] | undefined }) {
  if (rows?.length === 0) return <p class="quiet">{t('No photo has arrived yet')}</p>;
  return (
    <ul class="pictures">
      {rows?.map((upload, index) => (
        <li key={upload.id} class="arrived">
          <a href={`/p/${project}/uploads/${upload.id}?at=${index}`}>
            <Thumbnail upload={upload} />
            <span class="clip">{upload.filename}</span>
            <span class="row apart"><Status of={upload.status} /><span class="quiet"><Time at={upload.createdAt} /></span></span>
          </a>
        </li>
      )) ?? Array.from({ length: 6 }, (_, index) => <li key={index}><span class="bone picture" /></li>)}
    </ul>
  );
}

function Sessions({ project, rows }: { project: string; rows: readonly Schemas['SessionRow'][] | undefined }) {
  if (rows?.length === 0) return <p class="quiet body">{t('There is no session yet.')}</p>;
  return (
    <ul class="list">
      {rows?.map(session => (
        <li key={session.id}>
          <a class="grow clip" href={`/p/${project}/sessions/${session.id}`}><strong>{session.label ?? session.id.slice(0, 8)}</strong></a>
          <Status of={sessionState(session.status)} />
          <span class="quiet small" style={{ flexBasis: '100%' }}>{count(session.imagesCount, '{n} photo', '{n} photos')} · <Time at={session.createdAt} /></span>
        </li>
      )) ?? Array.from({ length: 4 }, (_, index) => <li key={index}><span class="bone grow" /></li>)}
    </ul>
  );
}
