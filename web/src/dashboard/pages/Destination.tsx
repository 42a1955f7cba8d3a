import { FlaskConical, Images, Plug, RotateCcw, Trash2 } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { Button, LinkButton } from '../../design/Button';
import { Chart } from '../../design/Chart';
import { Confirm } from '../../design/Dialog';
import { Busy } from '../../design/Empty';
import { Field, Segments, Switch } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Status } from '../../design/Status';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { changes } from '../changes';
import { connect } from '../connect';
import { ConfigFields, configOf, useConfig } from '../DestinationForm';
import { destinationState, useDestinationTypes } from '../DestinationTypes';
import { filter } from '../Filters';
import { hour, number } from '../format';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useAct, useLoad } from '../load';
import { Replays } from '../Replays';
import { go, setQuery } from '../router';
import { may, toast } from '../state';
import { TestAnswer } from '../TestAnswer';
import { heard, t } from '../text';

type Details = Schemas['Destination'];

/** One destination: whether it works, and what it is set to. */
export default function Destination({ project, id }: { project: string; id: string }) {
  const path = { projectId: project, id };
  const destination = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destinations/{id}', { params: { path }, signal })), [path]);
  const health = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destination-health', { params: { path: { projectId: project } }, signal })), [path]);
  const types = useDestinationTypes();
  const [answer, setAnswer] = useState<Schemas['DestinationTest']>();
  const act = useAct();
  useEvents(project, health.reload);
  const [details, state] = [destination.data, health.data?.find(each => each.destinationId === id)];
  const type = types.data?.find(each => each.type === details?.type);
  const developer = may('developer', project);
  const failedLately = (state?.failedLately ?? 0) > 0;
  const test = () => act.run(async () => {
    setAnswer(undefined);
    setAnswer(await ok(api.POST('/api/v1/projects/{projectId}/destinations/{id}/test', { params: { path } })));
    destination.reload();
    health.reload();
  });
  const turn = (isActive: boolean) => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/destinations/{id}', { params: { path }, body: { isActive } }));
    destination.reload();
  });
  // Whoever has just made it wants to know.
  useEffect(() => {
    if (!type || filter('test') === '') return;
    setQuery({ test: null });
    void (type.oAuth ? act.run(() => connect(project, id)) : test());
  }, [type]);

  return (
    <>
      <Head title={details?.name ?? t('Destination')} back={[`/p/${project}/destinations`, t('Destinations')]}
        status={details && <Status of={destinationState(details, state)} />}>
        <LinkButton icon={Images} href={`/p/${project}/uploads?destination=${id}`}>{t('Photos')}</LinkButton>
        {developer && type?.oAuth && <Button icon={Plug} disabled={act.busy} onClick={() => void act.run(() => connect(project, id))}>{t('Connect')}</Button>}
        {developer && <Button primary={!failedLately} icon={FlaskConical} busy={act.busy} onClick={() => void test()}>{t('Test')}</Button>}
        {developer && failedLately && details?.isActive && <Button primary icon={RotateCcw} onClick={() => setQuery({ replay: 'failed' })}>{t('Send failed photos again')}</Button>}
        {developer && details && <Switch label={t('{name} is in use', { name: details.name })} checked={details.isActive} busy={act.busy} onInput={on => void turn(on)} />}
        {developer && details && <Remove project={project} destination={details} />}
      </Head>
      <div class="stack">
        <Refusal of={destination.problem ?? act.problem} />
        {details?.problem && <Notice kind="bad">{details.problem}</Notice>}
        <TestAnswer of={answer} />
        {state && (
          <section class="tiles" aria-label={t('Deliveries')}>
            <div class="card tile"><p class="quiet">{t('Waiting')}</p><p class="figure">{number(state.waiting)}</p></div>
            <div class="card tile"><p class="quiet">{t('Failed within 7 days')}</p>
              <p class="figure">{number(state.failedLately)}</p>
              {failedLately && <p class="small">{(['failed', 'partial'] as const).map((status, index) => <>{index > 0 && ' · '}<a href={`/p/${project}/uploads?destination=${id}&status=${status}`}>{t(status === 'failed' ? 'Failed' : 'Partly delivered')}</a></>)}</p>}</div>
            <div class="card tile broad">
              <p class="quiet">{t('Last failure')}</p>
              {state.lastError === null ? <p class="figure">–</p> : <p class="anywhere">{state.lastError} <span class="quiet">{state.lastErrorAt !== null && <Time at={state.lastErrorAt} />}</span></p>}
            </div>
          </section>
        )}
        {!(details && type) && !destination.problem && <Busy />}
        {state && <Health project={project} id={id} />}
        {details && <Replays project={project} destination={details} failedLately={failedLately && details.isActive} />}
        {details && type && (developer
          ? <Edit key={JSON.stringify([details.name, details.config])} project={project} destination={details} type={type} onSaved={destination.reload} />
          : <Settings destination={details} type={type} />)}
      </div>
    </>
  );
}

/** How attempts ended, hour by hour. */
function Health({ project, id }: { project: string; id: string }) {
  const [hours, setHours] = useState<'24' | '168'>('24');
  const params = { path: { projectId: project, id }, query: { hours: Number(hours) } };
  const found = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destinations/{id}/attempts', { params, signal })), [params]);
  useEvents(project, found.reload);
  return (
    <section class="card" aria-label={t('Health over time')}>
      <header>
        <h2>{t('Health over time')}</h2>
        <Segments label={t('Time')} value={hours} onInput={setHours} options={[{ value: '24', label: t('24 hours') }, { value: '168', label: t('7 days') }]} />
      </header>
      <div class="body">
        <Refusal of={found.problem} />
        {found.data === undefined
          ? <span class="bone" style={{ width: '100%', height: '4rem' }} />
          : found.data.every(each => each.attempts === 0)
            ? <p class="quiet">{t('Nothing was sent there in this time.')}</p>
            : <Chart low bars={found.data.map(each => ({ at: each.at, values: [each.attempts - each.failures, each.failures] }))}
                parts={[{ words: 'Delivered', look: 'sent' }, { words: 'Failed', look: 'missing' }]} name={hour} caption="Attempts per hour" column="Attempts" most="At most {n} an hour" />}
      </div>
    </section>
  );
}

function Edit({ project, destination, type, onSaved }: { project: string; destination: Details; type: Schemas['DestinationType']; onSaved: () => void }) {
  const [name, setName] = useState(destination.name);
  const { before, values, set } = useConfig(type, destination.config as Record<string, unknown>);
  const act = useAct();
  const save = () => act.run(async () => {
    // A configuration, even the one there is, makes what waits go on.
    const config = changes(configOf(type, before), configOf(type, values));
    const isAnother = Object.keys(config).length > 0;
    await ok(api.PATCH('/api/v1/projects/{projectId}/destinations/{id}', {
      params: { path: { projectId: project, id: destination.id } }, body: { ...changes({ name: destination.name }, { name }), ...(isAnother ? { config } : {}) },
    }));
    toast(isAnother ? t('Saved. What waits for it goes on at once.') : t('Saved'));
    onSaved();
  });
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void save(); }}>
      <header><h2>{t('Settings')}</h2><span class="quiet small">{type.label}</span></header>
      <div class="body stack">
        <Field label={t('Name')} value={name} onInput={setName} required maxLength={200} />
        <ConfigFields type={type} values={values} set={set} wrong={act.problem?.fields ?? new Map()} />
        <Refusal of={act.problem} />
      </div>
      <footer><Button primary submit busy={act.busy}>{t('Save')}</Button></footer>
    </form>
  );
}

/** For whoever may look and not change. */
function Settings({ destination, type }: { destination: Details; type: Schemas['DestinationType'] }) {
  const config = destination.config as Readonly<Record<string, unknown>>;
  return (
    <section class="card">
      <header><h2>{t('Settings')}</h2><span class="quiet small">{type.label}</span></header>
      <dl class="facts body">
        {type.fields.filter(field => config[field.name] !== undefined).map(field => (
          <><dt>{heard(field.label)}</dt><dd>{typeof config[field.name] === 'object' ? JSON.stringify(config[field.name]) : String(config[field.name])}</dd></>
        ))}
      </dl>
    </section>
  );
}

function Remove({ project, destination }: { project: string; destination: Details }) {
  const [asking, setAsking] = useState(false);
  const act = useAct();
  const remove = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}/destinations/{id}', { params: { path: { projectId: project, id: destination.id } } }));
    toast(t('{name} is deleted.', { name: destination.name }));
    go(`/p/${project}/destinations`);
  });
  return (
    <>
      <Button danger icon={Trash2} label={t('Delete')} onClick={() => setAsking(true)} />
      {asking && (
        <Confirm title={t('Delete {name}?', { name: destination.name })} action={t('Delete')} act={act} onConfirm={() => void remove()} onClose={() => setAsking(false)}>
          {t('Photos that still wait for it will never arrive there. What it has already stays there.')}
        </Confirm>
      )}
    </>
  );
}
