import { FlaskConical, Plug, Trash2 } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Confirm } from '../../design/Dialog';
import { Field } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Status } from '../../design/Status';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { connect } from '../connect';
import { ConfigFields, configOf, useConfig } from '../DestinationForm';
import { useDestinationTypes } from '../DestinationTypes';
import { filter } from '../Filters';
import { number } from '../format';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useAct, useLoad } from '../load';
import { go, setQuery } from '../router';
import { may, toast } from '../state';
import { TestAnswer } from '../TestAnswer';
import { t } from '../text';

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
  const test = () => act.run(async () => {
    setAnswer(undefined);
    setAnswer(await ok(api.POST('/api/v1/projects/{projectId}/destinations/{id}/test', { params: { path } })));
    destination.reload();
    health.reload();
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
        status={details && <Status of={details.problem !== null || state?.isFailing ? 'attention' : details.isActive ? 'on' : 'off'} />}>
        {developer && type?.oAuth && <Button icon={Plug} onClick={() => void act.run(() => connect(project, id))}>{t('Connect')}</Button>}
        {developer && <Button primary icon={FlaskConical} busy={act.busy} onClick={() => void test()}>{t('Test')}</Button>}
        {developer && details && <Remove project={project} destination={details} />}
      </Head>
      <div class="stack">
        <Refusal of={destination.problem ?? act.problem} />
        {details?.problem && <Notice kind="bad">{details.problem}</Notice>}
        <TestAnswer of={answer} />
        {state && (
          <section class="tiles" aria-label={t('Deliveries')}>
            <div class="card tile"><p class="quiet">{t('Waiting')}</p><p class="figure">{number(state.waiting)}</p></div>
            <div class="card tile"><p class="quiet">{t('Failed within 7 days')}</p><p class="figure">{number(state.failedLately)}</p></div>
            <div class="card tile">
              <p class="quiet">{t('Last failure')}</p>
              {state.lastError === null ? <p class="figure">–</p> : <p class="anywhere">{state.lastError} <span class="quiet">{state.lastErrorAt !== null && <Time at={state.lastErrorAt} />}</span></p>}
            </div>
          </section>
        )}
        {details && type && (developer
          ? <Edit key={details.updatedAt} project={project} destination={details} type={type} onSaved={destination.reload} />
          : <Settings destination={details} type={type} />)}
      </div>
    </>
  );
}

function Edit({ project, destination, type, onSaved }: { project: string; destination: Details; type: Schemas['DestinationType']; onSaved: () => void }) {
  const [name, setName] = useState(destination.name);
  const { values, set } = useConfig(type, destination.config as Record<string, unknown>);
  const act = useAct();
  const save = () => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/destinations/{id}', {
      params: { path: { projectId: project, id: destination.id } }, body: { name, config: configOf(type, values) },
    }));
    toast(t('Saved. What waits for it goes on at once.'));
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
          <><dt>{field.label}</dt><dd>{typeof config[field.name] === 'object' ? JSON.stringify(config[field.name]) : String(config[field.name])}</dd></>
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
