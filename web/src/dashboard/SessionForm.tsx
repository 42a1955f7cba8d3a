import { useEffect, useState } from 'preact/hooks';
import { Button } from '../design/Button';
import { Dialog } from '../design/Dialog';
import { Check, Field, Select } from '../design/Field';
import { Notice, Refusal } from '../design/Notice';
import { Status } from '../design/Status';
import { api, ok, type Schemas } from './api/client';
import { changes } from './changes';
import { kindIn, useDestinationTypes } from './DestinationTypes';
import { useAct, useLoad } from './load';
import { go } from './router';
import { env } from './state';
import { strips } from './strip';
import { t } from './text';

const kinds = ['image/jpeg', 'image/png', 'image/webp', 'image/heic'] as const;

/** Makes a link to send photos to. Only a click is needed: everything has a value that suits most. */
export function NewSession({ project, onClose }: { project: string; onClose: () => void }) {
  const load = async (signal?: AbortSignal) => (await ok(api.GET('/api/v1/projects/{projectId}/destinations', {
    params: { path: { projectId: project } }, ...(signal === undefined ? {} : { signal }),
  }))).filter(destination => destination.isActive);
  const usable = useLoad(load, [project]).data;
  const types = useDestinationTypes().data;
  const [label, setLabel] = useState('');
  const [tags, setTags] = useState('');
  const [hours, setHours] = useState('24');
  const [most, setMost] = useState('20');
  const limit = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}', { params: { path: { projectId: project } }, signal })), [project]).data?.maxImagesPerSession ?? undefined;
  useEffect(() => { if (limit !== undefined) setMost(before => before === '20' && limit < 20 ? String(limit) : before); }, [limit]);
  const [password, setPassword] = useState('');
  const [megabytes, setMegabytes] = useState('');
  const [allowed, setAllowed] = useState<readonly string[]>(kinds);
  const [strip, setStrip] = useState('');
  const [captions, setCaptions] = useState(false);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const act = useAct();
  const wrong = act.problem?.fields ?? new Map<string, string>();

  const make = () => act.run(async () => {
    const session = await ok(api.POST('/api/v1/upload-sessions', {
      body: {
        project_id: project,
        env: env.value,
        // Whoever is faster than the list still gets all of them: without any, photos would go nowhere.
        destination_ids: (usable ?? await load()).map(({ id }) => id).filter(id => !left.has(id)),
        expires_in_hours: Number(hours),
        max_images: Number(most),
        ...(label === '' ? {} : { label }),
        ...(tags.trim() === '' ? {} : { tags: tags.split(',').map(tag => tag.trim()).filter(Boolean) }),
        ...(password === '' ? {} : { password }),
        ...(megabytes === '' ? {} : { max_image_size_mb: Number(megabytes) }),
        ...(allowed.length === kinds.length ? {} : { allowed_mime_types: [...allowed] }),
        ...(strip === '' ? {} : { strip }),
        ...(captions ? { allow_captions: true } : {}),
      },
    }));
    go(`/p/${project}/sessions/${session.id}`);
  });

  return (
    <Dialog title={t('New session')} onClose={onClose} onSubmit={() => void make()} actions={<Button primary submit busy={act.busy}>{t('Create session')}</Button>}>
      <Refusal of={act.problem} />
      <Field label={t('Label')} value={label} onInput={setLabel} maxLength={200} autofocus wrong={wrong.get('label')} hint={t('Your name for it, such as a claim number. Whoever opens the link sees it.')} />
      <div class="fields">
        <Select label={t('Open for')} value={hours} onInput={setHours} options={expiries()} />
        <Field label={t('Photos at most')} type="number" min={1} max={limit ?? 500} value={most} onInput={setMost} required wrong={wrong.get('max_images')} />
      </div>
      <fieldset class="stack tight">
        <legend class="legend">{t('Photos go to')}</legend>
        {usable?.length === 0 && <Notice kind="info">{t('There is no destination in use yet: photos are stored here, and you can download them.')}</Notice>}
        {usable?.map(({ id, name, type, problem }) => (
          <Check key={id} label={<>{name}{kindIn(types, type) !== name && <span class="quiet"> {kindIn(types, type)}</span>}{problem !== null && <> <Status of="attention" /> <span class="quiet small anywhere">{problem}</span></>}</>} checked={!left.has(id)} onInput={on => setLeft(toggled(left, id, !on))} />
        ))}
      </fieldset>
      <details>
        <summary>{t('More choices')}</summary>
        <div class="stack" style={{ marginTop: '1rem' }}>
          <div class="fields">
            <Field label={t('Tags')} value={tags} onInput={setTags} hint={t('Separated by commas.')} wrong={wrong.get('tags')} />
            <Field label={t('Password')} value={password} onInput={setPassword} minLength={4} maxLength={128} autocomplete="off" hint={t('Asked for when the link is opened.')} wrong={wrong.get('password')} />
            <Field label={t('Megabytes of a photo at most')} type="number" min={1} max={100} value={megabytes} onInput={setMegabytes} wrong={wrong.get('max_image_size_mb')} />
            <Select label={t('Strip from photos')} value={strip} onInput={setStrip} options={[{ value: '', label: t('As the project has it') }, ...strips()]} />
          </div>
          <Check label={t('Each photo may have a caption')} checked={captions} onInput={setCaptions} hint={t('Whoever sends a photo may say something about it.')} />
          <fieldset class="row">
            <legend class="legend">{t('Kinds of photo')}</legend>
            {kinds.map(kind => (
              <Check key={kind} label={kind.slice(6).toUpperCase()} checked={allowed.includes(kind)}
                onInput={on => setAllowed(kinds.filter(each => each === kind ? on : allowed.includes(each)))} />
            ))}
          </fieldset>
        </div>
      </details>
    </Dialog>
  );
}

/** Changes what may still be changed while the link is out. */
export function EditSession({ session, onClose, onSaved }: { session: Schemas['SessionDetails']; onClose: () => void; onSaved: () => void }) {
  // The session is read again with every photo that arrives.
  const [before] = useState(session);
  const [most, setMost] = useState(String(session.effectiveMaxImages));
  const [megabytes, setMegabytes] = useState(String(session.effectiveMaxImageSizeMb));
  const [until, setUntil] = useState(local(session.expiresAt));
  const [password, setPassword] = useState('');
  const [open, setOpen] = useState(false);
  const [strip, setStrip] = useState(session.strip ?? 'none');
  const [captions, setCaptions] = useState(session.allowCaptions);
  const act = useAct();
  const save = () => act.run(async () => {
    await ok(api.PATCH('/api/v1/upload-sessions/{id}', {
      params: { path: { id: session.id } },
      body: {
        ...(until === local(before.expiresAt) ? {} : { expires_at: new Date(until).toISOString() }),
        ...changes(
          { max_images: before.effectiveMaxImages, max_image_size_mb: before.effectiveMaxImageSizeMb, allow_captions: before.allowCaptions, strip: before.strip ?? 'none' },
          { max_images: Number(most), max_image_size_mb: Number(megabytes), allow_captions: captions, strip }),
        ...(open ? { password: null } : password === '' ? {} : { password }),
      },
    }));
    onSaved();
    onClose();
  });
  return (
    <Dialog title={t('Edit session')} onClose={onClose} onSubmit={() => void save()} actions={<Button primary submit busy={act.busy}>{t('Save')}</Button>}>
      <Refusal of={act.problem} />
      <div class="fields">
        <Field label={t('Open until')} type="datetime-local" value={until} onInput={setUntil} required />
        <Field label={t('Photos at most')} type="number" min={1} max={500} value={most} onInput={setMost} required />
        <Field label={t('Megabytes of a photo at most')} type="number" min={1} max={100} value={megabytes} onInput={setMegabytes} required />
        <Field label={t('New password')} value={password} onInput={setPassword} minLength={4} maxLength={128} autocomplete="off"
          hint={session.password_protected ? t('Leave it empty to keep the one there is.') : t('Asked for when the link is opened.')} />
        <Select label={t('Strip from photos')} value={strip} onInput={setStrip} options={strips()} hint={t('Of photos that arrive from now on.')} />
      </div>
      <Check label={t('Each photo may have a caption')} checked={captions} onInput={setCaptions} hint={t('Whoever sends a photo may say something about it.')} />
      {session.password_protected && <Check label={t('Remove the password')} checked={open} onInput={setOpen} />}
    </Dialog>
  );
}

const expiries = () => [
  { value: '1', label: t('1 hour') }, { value: '4', label: t('4 hours') }, { value: '24', label: t('1 day') }, { value: '72', label: t('3 days') }, { value: '168', label: t('1 week') },
];

function toggled(set: ReadonlySet<string>, value: string, on: boolean): ReadonlySet<string> {
  const next = new Set(set);
  if (on) next.add(value);
  else next.delete(value);
  return next;
}

/** As the browser's own field for a date and time wants it. */
function local(at: string): string {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
