import { Plus, Webhook as WebhookIcon } from 'lucide';
import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Dialog } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Check, Field, Select, Switch } from '../../design/Field';
import { Refusal } from '../../design/Notice';
import { Status, Tags } from '../../design/Status';
import { api, ok, type Schemas } from '../api/client';
import { changes } from '../changes';
import { filter } from '../Filters';
import { Head } from '../Head';
import { useAct, useLoad } from '../load';
import { go, setQuery } from '../router';
import { may } from '../state';
import { t } from '../text';

type Webhook = Schemas['EventWebhook'];

export const topics = [
  'project.upload.started', 'project.upload.completed', 'project.upload.failed', 'project.upload.captioned', 'project.upload.damaged',
  'project.session.created', 'project.session.completed', 'project.session.expired', 'project.destination.disabled',
  'project.destination.failing', 'project.destination.recovered',
] as const;

/** Programs that are told what happens. */
export default function Webhooks({ project }: { project: string }) {
  const list = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/webhooks', { params: { path: { projectId: project } }, signal })), [project]);
  const developer = may('developer', project);
  const fresh = <Button primary icon={Plus} onClick={() => setQuery({ new: '1' })}>{t('New event webhook')}</Button>;
  return (
    <>
      <Head title={t('Event webhooks')}>{developer && fresh}</Head>
      <Refusal of={list.problem} />
      <div class="card">
        {list.data?.length === 0 && <Empty icon={WebhookIcon} title={t('Nobody is told what happens')} action={developer && fresh}>{t('An event webhook sends your program a signed request when a photo has arrived, was delivered, or could not be.')}</Empty>}
        <ul class="list">
          {list.data?.map(webhook => (
            <Item key={webhook.id} project={project} webhook={webhook} onChanged={list.reload} />
          )) ?? Array.from({ length: 2 }, (_, index) => <li key={index}><span class="bone grow" /></li>)}
        </ul>
      </div>
      {filter('new') && developer && <WebhookForm project={project} onClose={() => setQuery({ new: null })} onSaved={({ id }) => go(`/p/${project}/webhooks/${id}`)} />}
    </>
  );
}

function Item({ project, webhook, onChanged }: { project: string; webhook: Webhook; onChanged: () => void }) {
  const act = useAct();
  const turn = (isActive: boolean) => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/webhooks/{id}', { params: { path: { projectId: project, id: webhook.id } }, body: { isActive } }));
    onChanged();
  });
  return (
    <li>
      <span class="grow">
        <a class="anywhere" href={`/p/${project}/webhooks/${webhook.id}`}><strong>{webhook.url}</strong></a>
        <span class="row" style={{ marginTop: '.25rem' }}><Tags of={topicsInWords(webhook)} /></span>
        <Refusal of={act.problem} />
      </span>
      <Status of={webhookState(webhook)} />
      {may('developer', project) && <Switch label={t('{name} is in use', { name: webhook.url })} checked={webhook.isActive} busy={act.busy} onInput={on => void turn(on)} />}
    </li>
  );
}

export const topicsInWords = (webhook: Webhook): readonly string[] => webhook.topics.map(topic => topic === '*' ? t('All events') : topic);

export const webhookState = (webhook: Webhook): string => webhook.disabledAt !== null ? 'disabled' : webhook.isActive ? 'on' : 'off';

/** For a new one, or for one that is there. */
export function WebhookForm({ project, webhook, onClose, onSaved }: { project: string; webhook?: Webhook; onClose: () => void; onSaved: (saved: Webhook) => void }) {
  const [before] = useState(webhook);
  const [url, setUrl] = useState(webhook?.url ?? '');
  const [chosen, setChosen] = useState<readonly string[]>(webhook?.topics ?? ['project.upload.completed', 'project.upload.failed']);
  const [method, setMethod] = useState<string>(webhook?.signatureMethod ?? 'hmac_sha256');
  const [retries, setRetries] = useState(String(webhook?.maxRetries ?? 8));
  const act = useAct();
  const others = chosen.filter(topic => !(topics as readonly string[]).includes(topic));
  const save = () => act.run(async () => {
    const body = { url, topics: [...chosen], signatureMethod: method, maxRetries: Number(retries) };
    const path = { projectId: project };
    onSaved(await ok(before
      ? api.PATCH('/api/v1/projects/{projectId}/webhooks/{id}', {
        params: { path: { ...path, id: before.id } },
        body: changes({ url: before.url, topics: before.topics, signatureMethod: before.signatureMethod as string, maxRetries: before.maxRetries }, body),
      })
      : api.POST('/api/v1/projects/{projectId}/webhooks', { params: { path }, body })));
  });
  return (
    <Dialog title={webhook ? t('Edit event webhook') : t('New event webhook')} onClose={onClose} onSubmit={() => void save()} actions={<Button primary submit busy={act.busy}>{t('Save')}</Button>}>
      <Refusal of={act.problem} />
      <Field label={t('URL')} type="url" value={url} onInput={setUrl} required autofocus placeholder="https://example.com/apertur" wrong={act.problem?.fields.get('url')} />
      <fieldset class="stack tight">
        <legend class="legend">{t('Topics')}</legend>
        {[...topics, ...others].map(topic => (
          <Check key={topic} label={topic === '*' ? t('All events') : <code>{topic}</code>} checked={chosen.includes(topic)} onInput={on => setChosen(on ? [...chosen, topic] : chosen.filter(each => each !== topic))} />
        ))}
      </fieldset>
      <div class="fields">
        <Select label={t('Signature')} value={method} onInput={setMethod} options={[{ value: 'hmac_sha256', label: 'HMAC-SHA256' }, { value: 'svix', label: 'Svix' }]} />
        <Field label={t('Attempts after the first')} type="number" min={0} max={50} value={retries} onInput={setRetries} required />
      </div>
    </Dialog>
  );
}
