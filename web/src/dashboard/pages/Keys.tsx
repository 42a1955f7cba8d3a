import { Ellipsis, KeyRound, Pencil, Plus, ShieldCheck, Smartphone, Trash2 } from 'lucide';
import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Copy } from '../../design/Copy';
import { Confirm, Dialog, Once } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Check, Field, Select } from '../../design/Field';
import { Icon } from '../../design/Icon';
import { Menu } from '../../design/Menu';
import { Notice, Refusal } from '../../design/Notice';
import { Status } from '../../design/Status';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { changes } from '../changes';
import { filter } from '../Filters';
import { Head } from '../Head';
import { useAct, useLoad, type Act } from '../load';
import { setQuery } from '../router';
import { may } from '../state';
import { t } from '../text';

type Key = Schemas['Key'];

/** What programs show to use the API. */
export default function Keys({ project }: { project: string }) {
  const path = { projectId: project };
  const keys = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/keys', { params: { path }, signal })), [project]);
  const developer = may('developer', project);
  const fresh = <Button primary icon={Plus} onClick={() => setQuery({ new: '1' })}>{t('New key')}</Button>;
  return (
    <>
      <Head title={t('API keys')}>{developer && fresh}</Head>
      <Refusal of={keys.problem} />
      <div class="card">
        {keys.data?.length === 0
          ? <Empty icon={KeyRound} title={t('There is no key yet')} action={developer && fresh}>{t('Programs need a key to make sessions. Without programs you need none.')}</Empty>
          : (
            <table class="table cards" aria-label={t('API keys')}>
              <thead><tr><th>{t('Label')}</th><th>{t('Key')}</th><th>{t('Data')}</th><th>{t('Status')}</th><th>{t('Last used')}</th><th><span class="unseen">{t('More')}</span></th></tr></thead>
              <tbody>
                {keys.data?.map(key => (
                  <tr key={key.id}>
                    <td><strong>{key.label}</strong>{restrictions(key).length > 0 && <span class="quiet small" style={{ display: 'block' }}>{restrictions(key).join(' · ')}</span>}</td>
                    <td data-label={t('Key')}><code>{key.prefix}…</code></td>
                    <td data-label={t('Data')}><span>{key.env === 'test' ? t('Test') : t('Live')}</span></td>
                    <td data-label={t('Status')}><Status of={key.isActive ? 'on' : 'off'} /></td>
                    <td data-label={t('Last used')}><span class="quiet">{key.lastUsedAt === null ? t('Never') : <Time at={key.lastUsedAt} />}</span></td>
                    <td data-label={t('More')}>{developer && <Actions project={project} item={key} onChanged={keys.reload} />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
      </div>
      {filter('new') && developer && <NewKey project={project} onMade={keys.reload} onClose={() => setQuery({ new: null })} />}
    </>
  );
}

function restrictions(key: Key): string[] {
  return [
    key.allowedIps.length > 0 && t('from {what}', { what: key.allowedIps.join(', ') }),
    key.allowedDomains.length > 0 && t('on {what}', { what: key.allowedDomains.join(', ') }),
    key.totpEnabled && t('with a one-time code'),
  ].filter(text => text !== false);
}

function NewKey({ project, onMade, onClose }: { project: string; onMade: () => void; onClose: () => void }) {
  const [label, setLabel] = useState('');
  const [env, setEnv] = useState('live');
  const [made, setMade] = useState<string>();
  const act = useAct();
  const make = () => act.run(async () => {
    setMade((await ok(api.POST('/api/v1/projects/{projectId}/keys', { params: { path: { projectId: project } }, body: { label, env } }))).plainTextKey);
    onMade();
  });
  if (made !== undefined) return <Secret title={t('Your new key')} secret={made} what={t('Key')} onClose={onClose} />;
  return (
    <Dialog title={t('New key')} firm={act.busy} onClose={onClose} onSubmit={() => void make()} actions={<Button primary submit busy={act.busy}>{t('Create key')}</Button>}>
      <Field label={t('Label')} value={label} onInput={setLabel} required maxLength={200} autofocus hint={t('Where it is used, so that you know it again.')} />
      <Select label={t('Data')} value={env} onInput={setEnv} options={[{ value: 'live', label: t('Live') }, { value: 'test', label: t('Test: apart from everything real') }]} />
      <Refusal of={act.problem} />
    </Dialog>
  );
}

function Secret({ title, secret, what, onClose }: { title: string; secret: string; what: string; onClose: () => void }) {
  return (
    <Once title={title} done={t('I have saved it')} onClose={onClose}>
      <Notice kind="warn">{t('It is shown this once. Keep it somewhere safe.')}</Notice>
      <Copy text={secret} what={what} whole />
    </Once>
  );
}

type Shown = 'edit' | 'delete' | 'signing' | 'totp';

function Actions({ project, item, onChanged }: { project: string; item: Key; onChanged: () => void }) {
  const [shown, setShown] = useState<Shown>();
  const act = useAct();
  const close = () => setShown(undefined);
  const path = { projectId: project, id: item.id };
  const remove = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}/keys/{id}', { params: { path } }));
    close();
    onChanged();
  });
  return (
    <>
      <Menu label={t('More about {name}', { name: item.label })} trigger={<Icon of={Ellipsis} />} items={[
        { label: t('Edit'), icon: Pencil, onClick: () => setShown('edit') },
        { label: t('Signed requests'), icon: ShieldCheck, onClick: () => setShown('signing') },
        { label: t('One-time codes'), icon: Smartphone, onClick: () => setShown('totp') },
        { label: t('Delete'), icon: Trash2, danger: true, onClick: () => setShown('delete') },
      ]} />
      {shown === 'edit' && <EditKey project={project} item={item} onSaved={onChanged} onClose={close} />}
      {shown === 'signing' && <Signing path={path} act={act} onClose={close} />}
      {shown === 'totp' && <Codes path={path} on={item.totpEnabled} act={act} onChanged={onChanged} onClose={close} />}
      {shown === 'delete' && (
        <Confirm title={t('Delete {name}?', { name: item.label })} action={t('Delete')} act={act} onConfirm={() => void remove()} onClose={close}>
          {t('Programs that use this key are refused from now on. Its sessions and photos stay.')}
        </Confirm>
      )}
    </>
  );
}

function EditKey({ project, item, onSaved, onClose }: { project: string; item: Key; onSaved: () => void; onClose: () => void }) {
  const [label, setLabel] = useState(item.label);
  const [isActive, setIsActive] = useState(item.isActive);
  const [most, setMost] = useState(String(item.maxImages ?? ''));
  const [ips, setIps] = useState(item.allowedIps.join(', '));
  const [domains, setDomains] = useState(item.allowedDomains.join(', '));
  const act = useAct();
  const list = (text: string) => text.split(',').map(each => each.trim()).filter(Boolean);
  const [before] = useState(item);
  const save = () => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/keys/{id}', {
      params: { path: { projectId: project, id: item.id } },
      body: changes(
        { label: before.label, isActive: before.isActive, maxImages: before.maxImages, allowedIps: before.allowedIps, allowedDomains: before.allowedDomains },
        { label, isActive, maxImages: most === '' ? null : Number(most), allowedIps: list(ips), allowedDomains: list(domains) }),
    }));
    onSaved();
    onClose();
  });
  return (
    <Dialog title={t('Edit key')} onClose={onClose} onSubmit={() => void save()} actions={<Button primary submit busy={act.busy}>{t('Save')}</Button>}>
      <Refusal of={act.problem} />
      <Field label={t('Label')} value={label} onInput={setLabel} required maxLength={200} />
      <Check label={t('In use')} checked={isActive} onInput={setIsActive} hint={t('Off: programs that show it are refused until it is on again.')} />
      <Field label={t('Photos of a session at most')} type="number" min={1} max={500} value={most} onInput={setMost} />
      <Field label={t('Only from these addresses')} value={ips} onInput={setIps} hint={t('Such as 203.0.113.7, 2001:db8::/32. Empty: from everywhere.')} />
      <Field label={t('Only on pages of these sites')} value={domains} onInput={setDomains} hint={t('Such as example.com, *.example.com. Empty: on all.')} />
    </Dialog>
  );
}

interface Path { readonly projectId: string; readonly id: string }

function Signing({ path, act, onClose }: { path: Path; act: Act; onClose: () => void }) {
  const [secret, setSecret] = useState<string>();
  const begin = () => act.run(async () => { setSecret((await ok(api.POST('/api/v1/projects/{projectId}/keys/{id}/signing-secret', { params: { path } }))).signingSecret); });
  const end = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}/keys/{id}/signing-secret', { params: { path } }));
    onClose();
  });
  if (secret !== undefined) return <Secret title={t('Signing secret')} secret={secret} what={t('Signing secret')} onClose={onClose} />;
  return (
    <Dialog title={t('Signed requests')} firm={act.busy} onClose={onClose} actions={
      <><Button busy={act.busy} onClick={() => void end()}>{t('End signing')}</Button><Button primary busy={act.busy} onClick={() => void begin()}>{t('Create a signing secret')}</Button></>
    }>
      <p>{t('With a signing secret every request with this key must be signed by it; unsigned ones are refused from then on.')}</p>
      <Refusal of={act.problem} />
    </Dialog>
  );
}

function Codes({ path, on, act, onChanged, onClose }: { path: Path; on: boolean; act: Act; onChanged: () => void; onClose: () => void }) {
  const [secret, setSecret] = useState<string>();
  const [code, setCode] = useState('');
  const begin = () => act.run(async () => { setSecret((await ok(api.POST('/api/v1/projects/{projectId}/keys/{id}/totp', { params: { path } }))).secret); });
  const finish = (work: () => Promise<unknown>) => act.run(async () => { await work(); onChanged(); onClose(); });
  const end = () => finish(() => ok(api.DELETE('/api/v1/projects/{projectId}/keys/{id}/totp', { params: { path } })));
  const confirm = () => finish(() => ok(api.POST('/api/v1/projects/{projectId}/keys/{id}/totp/confirm', { params: { path }, body: { code } })));
  return (
    <Dialog title={t('One-time codes')} firm={act.busy} onClose={onClose} onSubmit={() => void (secret === undefined ? (on ? end() : begin()) : confirm())}
      actions={<Button primary submit busy={act.busy}>{secret !== undefined ? t('Switch on') : on ? t('Switch off') : t('Create a secret')}</Button>}>
      <p>{on ? t('Every request with this key carries a code from an authenticator app.') : t('Every request with this key will have to carry a code that changes every 30 seconds.')}</p>
      {secret !== undefined && (
        <><Copy text={secret} what={t('Secret')} whole /><Field label={t('Code that the program shows now')} value={code} onInput={setCode} inputMode="numeric" required autofocus /></>
      )}
      <Refusal of={act.problem} />
    </Dialog>
  );
}
