import { Plus, Send } from 'lucide';
import { useEffect, useId, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Dialog } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Field, Switch } from '../../design/Field';
import { Icon } from '../../design/Icon';
import { Refusal } from '../../design/Notice';
import { Status } from '../../design/Status';
import { api, ok, type Schemas } from '../api/client';
import { ConfigFields, configOf, useConfig } from '../DestinationForm';
import { destinationState, iconOf, kindIn, TypeChoice, useDestinationTypes } from '../DestinationTypes';
import { filter } from '../Filters';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useAct, useLoad } from '../load';
import { go, setQuery } from '../router';
import { may } from '../state';
import { count, t } from '../text';

type Destination = Schemas['Destination'];

/** The places that photos go to, and whether they arrive there. */
export default function Destinations({ project }: { project: string }) {
  const path = { projectId: project };
  const list = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destinations', { params: { path }, signal })), [project]);
  const health = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destination-health', { params: { path }, signal })), [project]);
  const types = useDestinationTypes();
  useEvents(project, () => { list.reload(); health.reload(); });
  const developer = may('developer', project);
  const fresh = <Button primary icon={Plus} onClick={() => setQuery({ new: '1' })}>{t('New destination')}</Button>;
  return (
    <>
      <Head title={t('Destinations')}>{developer && fresh}</Head>
      <Refusal of={list.problem} />
      <div class="card">
        {list.data?.length === 0 && (
          <Empty icon={Send} title={t('Photos go nowhere yet')} action={developer && fresh}>
            {t('A destination is a place that each photo is delivered to: a program of yours, a bucket, a folder in the cloud. Without one, photos are stored here.')}
          </Empty>
        )}
        <ul class="list">
          {list.data?.map(destination => (
            <Item key={destination.id} project={project} destination={destination} kind={kindIn(types.data, destination.type)} health={health.data?.find(each => each.destinationId === destination.id)} onChanged={list.reload} />
          )) ?? Array.from({ length: 3 }, (_, index) => <li key={index}><span class="bone grow" /></li>)}
        </ul>
      </div>
      {filter('new') && developer && <NewDestination project={project} onClose={() => setQuery({ new: null })} />}
    </>
  );
}

function Item({ project, destination, kind, health, onChanged }: {
  project: string; destination: Destination; kind: string; health: Schemas['DestinationHealth'] | undefined; onChanged: () => void;
}) {
  const act = useAct();
  const trouble = destination.problem ?? (health?.isFailing ? health.lastError : null);
  const turn = (isActive: boolean) => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/destinations/{id}', { params: { path: { projectId: project, id: destination.id } }, body: { isActive } }));
    onChanged();
  });
  return (
    <li>
      <span class="badge-letter"><Icon of={iconOf(destination.type)} /></span>
      <span class="grow">
        <a href={`/p/${project}/destinations/${destination.id}`}><strong>{destination.name}</strong></a>{kind !== destination.name && <span class="quiet small"> {kind}</span>}
        {trouble !== null && <span class="problem anywhere" style={{ display: 'block' }}>{trouble}</span>}
        {health && health.waiting > 0 && <span class="quiet small" style={{ display: 'block' }}>{count(health.waiting, '{n} delivery is waiting.', '{n} deliveries are waiting.')}</span>}
        {health && health.failedLately > 0 && <span class="problem" style={{ display: 'block' }}>{count(health.failedLately, '{n} delivery failed for good.', '{n} deliveries failed for good.')}</span>}
        <Refusal of={act.problem} />
      </span>
      <Status of={destinationState(destination, health)} />
      {may('developer', project) && <Switch label={t('{name} is in use', { name: destination.name })} checked={destination.isActive} busy={act.busy} onInput={on => void turn(on)} />}
    </li>
  );
}

function NewDestination({ project, onClose }: { project: string; onClose: () => void }) {
  const types = useDestinationTypes();
  const [type, setType] = useState<Schemas['DestinationType']>();
  const [busy, setBusy] = useState(false);
  const form = useId();
  return (
    <Dialog title={t('New destination')} broad firm={busy} onClose={onClose} actions={
      <><Button disabled={busy} onClick={onClose}>{t('Cancel')}</Button><Button primary submit form={form} disabled={!type} busy={busy}>{saveWords(type)}</Button></>
    }>
      <Refusal of={types.problem} />
      <TypeChoice types={types.data ?? []} chosen={type} onChoose={setType} />
      {type && <NewDestinationForm key={type.type} id={form} project={project} type={type} onBusy={setBusy} onMade={({ id }) => go(`/p/${project}/destinations/${id}?test=1`)} />}
    </Dialog>
  );
}

const saveWords = (type: Schemas['DestinationType'] | undefined) => type?.oAuth ? t('Save and connect') : t('Save and test');

/** Fills in a new destination of a type; also a step of the guided start. With an id, the button that saves it stands elsewhere. */
export function NewDestinationForm({ project, type, id, onBusy, onMade }: {
  project: string; type: Schemas['DestinationType']; id?: string; onBusy?: (busy: boolean) => void; onMade: (made: Destination) => void;
}) {
  const [name, setName] = useState('');
  const { values, set } = useConfig(type);
  const act = useAct();
  useEffect(() => onBusy?.(act.busy), [act.busy]);
  const make = () => act.run(async () => {
    onMade(await ok(api.POST('/api/v1/projects/{projectId}/destinations', {
      params: { path: { projectId: project } },
      body: { type: type.type, ...(name === '' ? {} : { name }), config: configOf(type, values) },
    })));
  });
  return (
    <form id={id} class="stack" onSubmit={event => { event.preventDefault(); void make(); }}>
      <Field label={t('Name')} value={name} onInput={setName} placeholder={type.label} maxLength={200} />
      <ConfigFields type={type} values={values} set={set} wrong={act.problem?.fields ?? new Map()} />
      <Refusal of={act.problem} />
      {id === undefined && <div class="row"><Button primary submit busy={act.busy}>{saveWords(type)}</Button></div>}
    </form>
  );
}
