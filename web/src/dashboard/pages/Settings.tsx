import { RotateCw, Trash2 } from 'lucide';
import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Copy } from '../../design/Copy';
import { Confirm, Dialog } from '../../design/Dialog';
import { Busy } from '../../design/Empty';
import { Field, Select } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { refreshProjects } from '../App';
import { Branding } from '../Branding';
import { changes } from '../changes';
import { size } from '../format';
import { Head } from '../Head';
import { useAct, useLoad } from '../load';
import { go } from '../router';
import { may, toast } from '../state';
import { strips, stripWords } from '../strip';
import { count, t } from '../text';

type Project = Schemas['Project'];

/** What holds for the whole project. */
export default function Settings({ project }: { project: string }) {
  const details = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}', { params: { path: { projectId: project } }, signal })), [project]);
  return (
    <>
      <Head title={t('Settings')} />
      <div class="stack">
        <Refusal of={details.problem} />
        {!details.data && !details.problem && <Busy />}
        {details.data && (may('admin', project)
          ? <><General key={`general ${JSON.stringify(general(details.data))}`} project={details.data} onSaved={details.reload} /><Branding key={`brand ${JSON.stringify(details.data.branding)}`} project={details.data} onSaved={details.reload} /><Secret project={details.data} onChanged={details.reload} /></>
          : <ReadOnly project={details.data} />)}
        {details.data && may('owner', project) && <Danger project={details.data} />}
      </div>
    </>
  );
}

/** What the form of that name has: it begins anew when one of these is another, and when nothing else is. */
const general = ({ name, retentionDays, retentionRows, maxImagesPerSession, maxImageSizeMb, strip, e2ePublicKey }: Project) =>
  ({ name, retentionDays, retentionRows, maxImagesPerSession, maxImageSizeMb, strip, e2ePublicKey });

function General({ project, onSaved }: { project: Project; onSaved: () => void }) {
  const [name, setName] = useState(project.name);
  const [days, setDays] = useState(String(project.retentionDays ?? ''));
  const [rows, setRows] = useState(project.retentionRows);
  const [most, setMost] = useState(String(project.maxImagesPerSession ?? ''));
  const [megabytes, setMegabytes] = useState(String(project.maxImageSizeMb ?? ''));
  const [strip, setStrip] = useState(project.strip);
  const [key, setKey] = useState(project.e2ePublicKey ?? '');
  const act = useAct();
  const wrong = act.problem?.fields ?? new Map<string, string>();
  const numberOrNull = (text: string) => text === '' ? null : Number(text);
  const save = () => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}', {
      params: { path: { projectId: project.id } },
      body: changes(general(project), {
        name, retentionDays: numberOrNull(days), retentionRows: rows, maxImagesPerSession: numberOrNull(most), maxImageSizeMb: numberOrNull(megabytes), strip,
        e2ePublicKey: key.trim() === '' ? null : key,
      }),
    }));
    toast(t('Saved'));
    onSaved();
    await refreshProjects();
  });
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void save(); }}>
      <header><h2>{t('General')}</h2></header>
      <div class="body stack">
        <div class="fields">
          <Field label={t('Name')} value={name} onInput={setName} required maxLength={200} hint={t('People who send photos see it.')} wrong={wrong.get('name')} />
          <Field label={t('Days that photos are kept')} type="number" min={0} value={days} onInput={setDays} placeholder={t('For ever')} wrong={wrong.get('retentionDays')}
            hint={<>{t('After everything of them is delivered. Empty: until somebody deletes them.')} {stored(project)}</>} />
          <Select label={t('After that, keep')} value={rows} onInput={setRows}
            options={[{ value: 'keep', label: t('Their entry in lists') }, { value: 'remove', label: t('Nothing') }]} />
          <Field label={t('Photos of a session at most')} type="number" min={1} max={500} value={most} onInput={setMost} placeholder="500" wrong={wrong.get('maxImagesPerSession')} />
          <Field label={t('Megabytes of a photo at most')} type="number" min={1} max={100} value={megabytes} onInput={setMegabytes} placeholder="100" wrong={wrong.get('maxImageSizeMb')} />
          <Select label={t('Strip from photos')} value={strip} onInput={setStrip} hint={t('Of sessions that are made from now on. Orientation and colours stay.')} options={strips()} />
        </div>
        <Field label={t('Public key for end-to-end encryption')} type="document" value={key} onInput={setKey} placeholder="-----BEGIN PUBLIC KEY-----" wrong={wrong.get('e2ePublicKey')}
          hint={t('With it, phones encrypt photos so that only the owner of the private key can open them. This server cannot, and shows no pictures of them.')} />
        <Refusal of={act.problem} />
      </div>
      <footer><Button primary submit busy={act.busy}>{t('Save')}</Button></footer>
    </form>
  );
}

const stored = ({ stored }: Project): string => stored === undefined ? ''
  : `${count(stored.images, '{n} photo is stored', '{n} photos are stored')} (${size(stored.bytes)}).`;

function Secret({ project, onChanged }: { project: Project; onChanged: () => void }) {
  const [asking, setAsking] = useState(false);
  const act = useAct();
  const rotate = () => act.run(async () => {
    await ok(api.POST('/api/v1/projects/{projectId}/webhook-secret/rotate', { params: { path: { projectId: project.id } } }));
    setAsking(false);
    onChanged();
  });
  return (
    <section class="card">
      <header><div><h2>{t('Webhook secret')}</h2><p>{t('Photos that are sent to webhooks are signed by it.')}</p></div><Button icon={RotateCw} onClick={() => setAsking(true)}>{t('Rotate')}</Button></header>
      <div class="body stack">
        {project.previousWebhookSecretUntil !== undefined && <Notice kind="info">{t('The previous one is valid until')}: <Time at={project.previousWebhookSecretUntil} whole /></Notice>}
        <Copy text={project.webhookSecret ?? ''} what={t('Webhook secret')} secret />
      </div>
      {asking && (
        <Confirm title={t('Rotate the webhook secret?')} action={t('Rotate')} act={act} onConfirm={() => void rotate()} onClose={() => setAsking(false)}>
          {t('Both secrets sign for a while, so that you can change your program. After that only the new one does.')}
        </Confirm>
      )}
    </section>
  );
}

function ReadOnly({ project }: { project: Project }) {
  const none = t('None');
  return (
    <section class="card">
      <header><h2>{t('General')}</h2></header>
      <dl class="facts body">
        <dt>{t('Name')}</dt><dd>{project.name}</dd>
        <dt>{t('Days that photos are kept')}</dt><dd>{project.retentionDays ?? none}. {stored(project)}</dd>
        <dt>{t('Photos of a session at most')}</dt><dd>{project.maxImagesPerSession ?? none}</dd>
        <dt>{t('Megabytes of a photo at most')}</dt><dd>{project.maxImageSizeMb ?? none}</dd>
        <dt>{t('Strip from photos')}</dt><dd>{stripWords(project.strip)}</dd>
        <dt>{t('Id')}</dt><dd><code>{project.id}</code></dd>
      </dl>
    </section>
  );
}

function Danger({ project }: { project: Project }) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const act = useAct();
  const remove = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}', { params: { path: { projectId: project.id } } }));
    await refreshProjects();
    go('/');
  });
  return (
    <section class="card">
      <header><div><h2>{t('Delete the project')}</h2><p>{t('With its sessions, photos, destinations and keys. Nobody can bring them back.')}</p></div><Button danger icon={Trash2} onClick={() => setAsking(true)}>{t('Delete')}</Button></header>
      {asking && (
        <Dialog title={t('Delete {name}?', { name: project.name })} onClose={() => setAsking(false)} onSubmit={() => { if (typed === project.name) void remove(); }}
          actions={<Button primary danger submit busy={act.busy} disabled={typed !== project.name}>{t('Delete for good')}</Button>}>
          <p>{t('All of its sessions, photos, destinations and keys are gone at once. What destinations have already stays there.')}</p>
          <Field label={t('Write “{name}” to go on', { name: project.name })} value={typed} onInput={setTyped} autocomplete="off" autofocus />
          <Refusal of={act.problem} />
        </Dialog>
      )}
    </section>
  );
}
